import AnalyticsService
import Foundation
import ServiceKit

exit(await ServiceHost.run(AnalyticsService.self))
