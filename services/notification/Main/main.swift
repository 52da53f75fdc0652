import Foundation
import NotificationService
import ServiceKit

exit(await ServiceHost.run(NotificationService.self))
