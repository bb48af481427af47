package import HTTPTypes
package import Hummingbird
package import Models

/// Finds the route of a method and path. One matcher serves the services' own routes and the gateway's proxy, so that both always agree on
/// what a path means. Stricter than Hummingbird's router: empty and dot segments match nothing, parameters are percent-decoded, and a path
/// that is known under other methods is told apart from an unknown one.
package struct RouteIndex: Sendable {
    package enum Match: Sendable {
        case found(Route, Parameters)
        /// The methods that the path does know.
        case wrongMethod([Route.Method])
        case unknown
    }

    private struct Node: Sendable {
        var literals: [String: Int] = [:]
        var parameter: Int?
        var routes: [Route.Method: Route] = [:]
    }

    private var nodes = [Node()]
    /// Nodes of templates without parameters, by their whole path: most requests are found at once.
    private var whole: [String: Int] = [:]

    /// The whole catalogue.
    package static let catalogue = RouteIndex(RouteCatalogue.all)

    package init(_ routes: [Route]) {
        for route in routes { self.add(route) }
    }

    package mutating func add(_ route: Route) {
        var node = 0
        for segment in route.template.split(separator: "/") {
            node = segment.hasPrefix("{") ? self.parameter(under: node) : self.literal(String(segment), under: node)
        }
        precondition(self.nodes[node].routes[route.method] == nil, "\(route.name) is there twice")
        self.nodes[node].routes[route.method] = route
        if !route.template.contains("{") { self.whole[route.template] = node }
    }

    /// - path: as the client sent it, without the query.
    package func match(_ method: HTTPRequest.Method, _ path: String) -> Match {
        let wanted = Route.Method(rawValue: method.rawValue)
        if let node = self.whole[path], let route = wanted.flatMap({ self.nodes[node].routes[$0] }) { return .found(route, Parameters()) }
        guard path.hasPrefix("/") else { return .unknown }
        let segments = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        guard !segments.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }) else { return .unknown }
        var best: Node?
        self.walk(0, segments[...]) { node in
            // A literal match with other methods must not hide a parameter that has this one.
            if wanted.flatMap({ node.routes[$0] }) != nil {
                best = node
                return true
            }
            if best == nil { best = node }
            return false
        }
        guard let best else { return .unknown }
        guard let route = wanted.flatMap({ best.routes[$0] }) else {
            return .wrongMethod(best.routes.keys.sorted { $0.rawValue < $1.rawValue })
        }
        guard let parameters = Self.parameters(of: route, segments) else { return .unknown }
        return .found(route, parameters)
    }

    /// Visits the nodes with routes that fit, literals before parameters, until one is taken.
    @discardableResult
    private func walk(_ index: Int, _ rest: ArraySlice<Substring>, _ take: (Node) -> Bool) -> Bool {
        let node = self.nodes[index]
        guard let segment = rest.first else { return node.routes.isEmpty ? false : take(node) }
        if let next = node.literals[String(segment)], self.walk(next, rest.dropFirst(), take) { return true }
        if let next = node.parameter, self.walk(next, rest.dropFirst(), take) { return true }
        return false
    }

    private static func parameters(of route: Route, _ segments: [Substring]) -> Parameters? {
        var parameters = Parameters()
        for (name, segment) in zip(route.template.split(separator: "/"), segments) where name.hasPrefix("{") {
            guard let decoded = PercentCoding.decode(segment), !decoded.utf8.contains(0) else { return nil }
            parameters.append(key: name.dropFirst().dropLast(), value: decoded[...])
        }
        return parameters
    }

    private mutating func literal(_ segment: String, under node: Int) -> Int {
        if let known = self.nodes[node].literals[segment] { return known }
        self.nodes.append(Node())
        self.nodes[node].literals[segment] = self.nodes.count - 1
        return self.nodes.count - 1
    }

    private mutating func parameter(under node: Int) -> Int {
        if let known = self.nodes[node].parameter { return known }
        self.nodes.append(Node())
        self.nodes[node].parameter = self.nodes.count - 1
        return self.nodes.count - 1
    }
}

extension Route {
    /// The template with its parameters filled in, each percent-encoded.
    package func path(_ parameters: [String: String] = [:]) -> String {
        var path = ""
        for segment in self.template.split(separator: "/") {
            path += "/"
            if segment.hasPrefix("{") {
                let name = String(segment.dropFirst().dropLast())
                guard let value = parameters[name] else { preconditionFailure("\(self.name) needs \(name)") }
                path += PercentCoding.encode(value)
            } else {
                path += segment
            }
        }
        return path
    }
}

/// RFC 3986 percent-encoding.
package enum PercentCoding {
    /// Everything but the unreserved characters is encoded.
    package static func encode(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                bytes.append(byte)
            default:
                bytes.append(contentsOf: [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]])
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// nil where an escape is broken or the bytes are not UTF-8.
    /// - plusIsSpace: form encoding, as in queries.
    package static func decode(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                guard let high = rest.popFirst().flatMap(self.digit), let low = rest.popFirst().flatMap(self.digit) else { return nil }
                bytes.append(high << 4 | low)
            } else {
                bytes.append(plusIsSpace && byte == UInt8(ascii: "+") ? 0x20 : byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        Character(Unicode.Scalar(byte)).hexDigitValue.map { UInt8($0) }
    }
}
