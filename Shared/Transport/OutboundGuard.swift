/// Which addresses a URL or host given by a tenant may reach: public ones, and what the operator opened by `OUTBOUND_ALLOW`. A URL's form is
/// checked when it is stored; what counts is the check of the actual address when a socket is opened and each time a connection is used
/// (a name may resolve to another address every time).
package struct OutboundGuard: Sendable {
    private let rules: [AllowRule]

    /// - allow: `OUTBOUND_ALLOW`: comma-separated `CIDR` or `CIDR:port`, `127.0.0.0/8:8090,[::1]/128`. Empty allows public addresses only.
    /// - Throws: ``TransportError`` (`invalidRequest`) naming the first entry that is none.
    package init(allow: String) throws {
        self.rules = try allow.split(separator: ",").map { entry in
            let text = String(entry.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
            guard let rule = AllowRule(text) else {
                throw TransportError.invalidRequest("'\(text)' is not a network such as 10.0.0.0/8, 127.0.0.1:8090 or [::1]/128:8090")
            }
            return rule
        }
    }

    /// nil when the address may be reached, else why not. Names are refused: they must be resolved first.
    package func refusal(address: String, port: UInt16) -> String? {
        guard let address = IPAddress(address) else { return "it is not an address" }
        return self.refusal(address: address, port: port, isEncrypted: true)
    }

    /// Checks the URL's form (https unless its host is allowed by a rule, no user info, a sane port) before it is stored. nil when it is well.
    /// A host that is a name is not resolved here: the address behind it is vetted at each connection.
    package func refusal(url: String) -> String? {
        let parts: URLParts
        do {
            parts = try URLParts(url)
        } catch {
            return error.detail
        }
        switch parts.host {
        case .address(let address):
            return self.refusal(address: address, port: parts.port, isEncrypted: parts.isEncrypted)
        case .name(let name):
            if let refusal = self.refusal(name: name, port: parts.port) { return refusal }
            guard parts.isEncrypted || self.opens(port: parts.port) else { return "it must begin with https://" }
            return nil
        }
    }

    /// Checks the form of a host given without a URL, such as a mail server's, before it is stored.
    package func refusal(host: String, port: UInt16) -> String? {
        guard port > 0 else { return "port 0 does not exist" }
        switch URLParts.Host(host) {
        case .none: return "it is not a host name or address"
        case .address(let address): return self.refusal(address: address, port: port, isEncrypted: true)
        case .name(let name): return self.refusal(name: name, port: port)
        }
    }

    /// The check at the socket. Without encryption only what a rule opens may be reached.
    func refusal(address: IPAddress, port: UInt16, isEncrypted: Bool) -> String? {
        let address = address.unmapped
        if self.rules.contains(where: { $0.opens(address, port: port) }) { return nil }
        if let kind = AddressRules.kindIfRefused(address) { return "the address is not public (\(kind))" }
        if port == 0 { return "port 0 does not exist" }
        return isEncrypted ? nil : "it must begin with https://"
    }

    /// Names that can only mean this machine or its neighbours are refused where no rule could open them.
    private func refusal(name: String, port: UInt16) -> String? {
        let isLocal = !name.contains(".") || name == "localhost" || name.hasSuffix(".localhost")
        return isLocal && !self.opens(port: port) ? "the host is not a public name" : nil
    }

    private func opens(port: UInt16) -> Bool {
        self.rules.contains { $0.opens(port: port) }
    }
}
