import HTTPTypes
import Models
import ServiceKit
import Transport

/// Reads what is asked for in a request to subscribe, or to change a subscription: fields that a change does not have stay as they are.
struct SubscriptionReader {
    static let longestURL = 2000

    private var fields: FieldReader
    private let body: JSONValue
    private let outboundGuard: OutboundGuard

    init(_ body: JSONValue, outboundGuard: OutboundGuard) {
        self.fields = FieldReader(body)
        self.body = body
        self.outboundGuard = outboundGuard
    }

    /// A new one.
    /// - Throws: a validation ``Problem`` that names every fault.
    mutating func subscription() throws -> NewSubscription {
        let url = self.url(isRequired: true) ?? ""
        let types = self.eventTypes(isRequired: true) ?? []
        let description = self.fields.optionalString("description", 0...500)
        var options = SubscriptionOptions()
        let headers = self.options(&options, types: types) ?? []
        try self.fields.finish()
        return NewSubscription(targetURL: Secret(url), eventTypes: types, description: description, options: options, headers: headers)
    }

    /// What becomes of a subscription. Its filter and its template are held against its events again where either changes.
    /// - Throws: a validation ``Problem`` that names every fault.
    mutating func change(of subscription: Subscription) throws -> SubscriptionChange {
        var change = SubscriptionChange(subscription)
        change.targetURL = self.url(isRequired: false).map { Secret($0) }
        if let types = self.eventTypes(isRequired: false) { change.eventTypes = types }
        let description = self.fields.optionalString("description", 0...500)
        if self.fields.has("description") { change.description = description }
        change.headers = self.options(&change.options, types: change.eventTypes)
        try self.fields.finish()
        return change
    }

    // MARK: - Fields

    private mutating func url(isRequired: Bool) -> String? {
        let names = ["webhook_url", "target_url"]
        let values = names.map { self.fields.optionalString($0, 1...Self.longestURL) }
        let given = names.filter { self.body.holds($0) }
        if given.isEmpty, !isRequired { return nil }
        guard given.count == 1, let name = given.first else {
            self.fields.fault("webhook_url", "give either webhook_url or target_url")
            return nil
        }
        // Where the one given could not be read, the reader has named the fault.
        guard let url = values.compactMap({ $0 }).first, !url.isEmpty else { return nil }
        if let refusal = self.outboundGuard.refusal(url: url) { self.fields.fault(name, refusal) }
        return url
    }

    private mutating func eventTypes(isRequired: Bool) -> [EventType]? {
        let one = self.fields.optionalString("trigger_event", 1...100)
        let several = self.fields.optionalArray("trigger_events", 1...100)
        let given = ["trigger_event", "trigger_events"].count { self.body.holds($0) }
        if given == 0, !isRequired { return nil }
        guard given == 1 else {
            self.fields.fault("trigger_event", "give either trigger_event or trigger_events")
            return nil
        }
        var types: [EventType] = []
        if let one, !one.isEmpty { self.append(one, at: "/trigger_event", to: &types) }
        for (index, item) in (several ?? []).enumerated() {
            let pointer = "/trigger_events/\(index)"
            guard let name = item.stringValue else {
                self.fields.fault(at: pointer, "must be a string")
                continue
            }
            self.append(name, at: pointer, to: &types)
        }
        return types
    }

    /// Repeated names count once.
    private mutating func append(_ name: String, at pointer: String, to types: inout [EventType]) {
        guard let type = EventType(rawValue: name) else {
            let known = EventType.allCases.map(\.rawValue).joined(separator: ", ")
            return self.fields.fault(at: pointer, "there is no such event; known are \(known)")
        }
        if !types.contains(type) { types.append(type) }
    }

    /// - Returns: the custom headers where the request has them, else nil.
    private mutating func options(_ options: inout SubscriptionOptions, types: [EventType]) -> [CustomHeader]? {
        self.read("filter", &options.filter) { reader in
            reader.checked(reader.fields.optionalValue("filter")) { EventFilter.parse($0, for: types).faults }
        }
        self.read("payload_template", &options.template) { reader in
            guard let given = reader.fields.optionalValue("payload_template") else { return nil }
            let (template, faults) = PayloadTemplate.parse(given, for: types)
            reader.add(faults)
            return template?.json
        }
        self.read("ordering_key", &options.orderingKey) { $0.orderingKey(types) }
        self.read("rate_limit", &options.rateLimit) { $0.fields.optionalInteger("rate_limit", 1...10_000).map(Int.init) }
        self.read("timeout", &options.timeoutSeconds) { $0.fields.optionalInteger("timeout", 1...30).map(Double.init) }
        self.read("retry_schedule", &options.retryWaits) { $0.retryWaits() }
        if self.fields.has("signatures") { options.signatures = self.signatures() }
        self.recheck(options, types)
        guard self.fields.has("headers") else { return nil }
        let headers = CustomHeader.read(&self.fields)
        options.headerNames = headers.map(\.name.rawName).sorted()
        return headers
    }

    /// Null takes an option away; a field that is not there leaves it.
    private mutating func read<Value>(_ name: String, _ option: inout Value?, _ value: (inout Self) -> Value?) {
        let read = value(&self)
        if self.fields.has(name) { option = read }
    }

    private mutating func checked(_ value: JSONValue?, _ faults: (JSONValue) -> [Problem.Fault]) -> JSONValue? {
        guard let value else { return nil }
        self.add(faults(value))
        return value
    }

    private mutating func add(_ faults: [Problem.Fault]) {
        for fault in faults { self.fields.fault(at: fault.pointer, fault.detail) }
    }

    /// Where only the events change, what was fit for the old ones may not be for the new ones.
    private mutating func recheck(_ options: SubscriptionOptions, _ types: [EventType]) {
        guard !types.isEmpty else { return }
        if !self.fields.has("filter"), let filter = options.filter { self.add(EventFilter.parse(filter, for: types).faults) }
        if !self.fields.has("payload_template"), let template = options.template {
            self.add(PayloadTemplate.parse(template, for: types).faults)
        }
        if !self.fields.has("ordering_key"), let key = options.orderingKey, let refusal = Self.refusal(ofPath: key, types) {
            self.fields.fault("ordering_key", refusal)
        }
    }

    private mutating func orderingKey(_ types: [EventType]) -> String? {
        guard let key = self.fields.optionalString("ordering_key", 1...EventPath.longest), !key.isEmpty else { return nil }
        if let refusal = Self.refusal(ofPath: key, types) { self.fields.fault("ordering_key", refusal) }
        return key
    }

    private static func refusal(ofPath text: String, _ types: [EventType]) -> String? {
        do throws(EventPath.Malformed) {
            return EventOutline(types).refusal(of: try EventPath(parsing: text))
        } catch {
            return error.detail
        }
    }

    private mutating func retryWaits() -> [Double]? {
        guard let items = self.fields.optionalArray("retry_schedule", RetrySchedule.attempts) else { return nil }
        var waits: [Double] = []
        for (index, item) in items.enumerated() {
            guard let wait = item.numberValue, RetrySchedule.wait.contains(wait) else {
                self.fields.fault(at: "/retry_schedule/\(index)", "must be a number of seconds from 0 to 604800")
                continue
            }
            waits.append(wait)
        }
        return waits
    }

    private mutating func signatures() -> [SignatureKind] {
        guard let items = self.fields.optionalArray("signatures", 1...2) else { return [.v1] }
        var kinds: [SignatureKind] = []
        for (index, item) in items.enumerated() {
            guard let kind = item.stringValue.flatMap(SignatureKind.init) else {
                self.fields.fault(at: "/signatures/\(index)", "must be v1 or v1a")
                continue
            }
            if !kinds.contains(kind) { kinds.append(kind) }
        }
        return kinds
    }
}

extension JSONValue {
    /// A member of this name that is not null.
    fileprivate func holds(_ name: String) -> Bool { (self[name] ?? .null) != .null }

    fileprivate var numberValue: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }
}
