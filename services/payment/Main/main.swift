import Foundation
import PaymentService
import ServiceKit

exit(await ServiceHost.run(PaymentService.self))
