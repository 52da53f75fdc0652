import HTTPTypes
import Hummingbird

/// Which methods each route has: to tell "no such path" (404) from "not with this method" (405).
struct RouteTable: Sendable {
    private struct Route: Sendable {
        var segments: [String]
        var methods: Set<String>
    }

    private var routes: [Route] = []

    init(_ router: Router<APIContext>) {
        var byPath: [String: Set<String>] = [:]
        for route in router.routes {
            byPath[route.path.description, default: []].insert(route.method.rawValue)
        }
        routes = byPath.map { Route(segments: Self.split($0.key), methods: $0.value) }
    }

    /// The methods of all routes that match `path`, sorted; empty when none does.
    func methods(of path: String) -> [String] {
        let segments = Self.split(path)
        var result: Set<String> = []
        for route in routes where Self.matches(route.segments, segments) { result.formUnion(route.methods) }
        return result.sorted()
    }

    private static func split(_ path: String) -> [String] { path.split(separator: "/").map(String.init) }

    private static func matches(_ pattern: [String], _ path: [String]) -> Bool {
        for (index, element) in pattern.enumerated() {
            if element == "**" { return true }
            guard index < path.count else { return false }
            let isOpen = element == "*" || element.contains("{")
            if !isOpen, element != path[index] { return false }
        }
        return pattern.count == path.count
    }
}
