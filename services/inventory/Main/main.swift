import Foundation
import InventoryService
import ServiceKit

exit(await ServiceHost.run(InventoryService.self))
