import CardGateway
import Foundation

exit(await GatewayProcess.run(environment: ProcessInfo.processInfo.environment))
