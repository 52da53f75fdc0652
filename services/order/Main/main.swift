import Foundation
import OrderService
import ServiceKit

exit(await ServiceHost.run(OrderService.self))
