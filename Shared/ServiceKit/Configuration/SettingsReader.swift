import Configuration
import Foundation
package import Models

/// Reads the environment (`NAME`, or the file that `NAME_FILE` names) and collects every fault before it gives up.
/// An empty value counts as not set. Missing without a default is a fault; a placeholder is returned so that reading goes on.
package final class SettingsReader {
    /// One variable as it was asked for: what the documentation of the environment is held against.
    package struct Variable: Sendable, Equatable {
        package var name: String
        /// The default as text; nil where the variable is required or simply absent without it.
        package var defaultValue: String?
        package var isRequired: Bool
        package var isSecret: Bool
    }

    private let source: EnvironmentVariablesProvider
    private var faults: [ConfigurationFaults.Fault] = []
    /// Every variable read so far, in order.
    package private(set) var variables: [Variable] = []

    package init(environment: [String: String]) {
        self.source = EnvironmentVariablesProvider(environmentVariables: environment)
    }

    package func string(_ name: String, default: String? = nil) -> String {
        self.note(name, default: `default`, isRequired: `default` == nil)
        return self.value(name) ?? `default` ?? self.missing(name)
    }

    package func optionalString(_ name: String) -> String? {
        self.note(name)
        return self.value(name)
    }

    package func secret(_ name: String) -> Secret {
        self.note(name, isRequired: true, isSecret: true)
        return Secret(self.value(name) ?? self.missing(name))
    }

    package func optionalSecret(_ name: String) -> Secret? {
        self.note(name, isSecret: true)
        return self.value(name).map { Secret($0) }
    }

    package func integer(_ name: String, default: Int?, in range: ClosedRange<Int>) -> Int {
        self.note(name, default: `default`.map { String($0) }, isRequired: `default` == nil)
        let placeholder = `default` ?? range.lowerBound
        guard let text = self.value(name) else {
            if `default` == nil { _ = self.missing(name) }
            return placeholder
        }
        guard let value = Int(text), range.contains(value) else {
            self.fault(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
            return placeholder
        }
        return value
    }

    package func boolean(_ name: String, default: Bool) -> Bool {
        self.note(name, default: String(`default`))
        switch self.value(name)?.lowercased() {
        case nil: return `default`
        case "true", "yes", "on", "1": return true
        case "false", "no", "off", "0": return false
        default:
            self.fault(name, "must be true or false")
            return `default`
        }
    }

    /// Seconds, fractions allowed.
    package func seconds(_ name: String, default: Double, in range: ClosedRange<Double>) -> Duration {
        self.note(name, default: String(`default`))
        guard let text = self.value(name) else { return .seconds(`default`) }
        guard let value = Double(text), range.contains(value) else {
            self.fault(name, "must be seconds from \(range.lowerBound) to \(range.upperBound)")
            return .seconds(`default`)
        }
        return .seconds(value)
    }

    package func choice<Value: RawRepresentable & CaseIterable>(_ name: String, default: Value) -> Value where Value.RawValue == String {
        self.note(name, default: `default`.rawValue)
        guard let text = self.value(name) else { return `default` }
        guard let value = Value(rawValue: text) else {
            self.fault(name, "must be one of \(Value.allCases.map(\.rawValue).joined(separator: ", "))")
            return `default`
        }
        return value
    }

    /// An absolute http(s) URL without a trailing slash.
    package func url(_ name: String, default: String? = nil) -> String {
        let text = self.string(name, default: `default`)
        guard !text.isEmpty else { return text }
        if let reason = Self.urlFault(text) { self.fault(name, reason) }
        return text.hasSuffix("/") ? String(text.dropLast()) : text
    }

    package func fault(_ name: String, _ reason: String) {
        guard !self.faults.contains(where: { $0.variable == name && $0.reason == reason }) else { return }
        self.faults.append(ConfigurationFaults.Fault(variable: name, reason: reason))
    }

    /// - Throws: ``ConfigurationFaults``, which prints every variable with its fault.
    package func finish() throws {
        guard self.faults.isEmpty else { throw ConfigurationFaults(faults: self.faults) }
    }

    static func urlFault(_ text: String) -> String? {
        guard let parts = URLComponents(string: text), let scheme = parts.scheme, let host = parts.host, !host.isEmpty else {
            return "must be an absolute URL, https://example.com"
        }
        guard scheme == "http" || scheme == "https" else { return "must be an http or https URL" }
        guard parts.user == nil, parts.password == nil else { return "must not carry a user or password" }
        guard parts.query == nil, parts.fragment == nil else { return "must not have a query or fragment" }
        return nil
    }

    private func note(_ name: String, default: String? = nil, isRequired: Bool = false, isSecret: Bool = false) {
        guard !self.variables.contains(where: { $0.name == name }) else { return }
        self.variables.append(Variable(name: name, defaultValue: `default`, isRequired: isRequired, isSecret: isSecret))
    }

    private func missing(_ name: String) -> String {
        self.fault(name, "is missing (set it, or \(name)_FILE to a file that holds it)")
        return ""
    }

    private func value(_ name: String) -> String? {
        let direct = self.lookUp(name)
        guard let path = self.lookUp("\(name)_FILE") else { return direct }
        guard direct == nil else {
            self.fault(name, "is given twice, as \(name) and as \(name)_FILE")
            return direct
        }
        guard let data = FileManager.default.contents(atPath: path), let text = String(data: data, encoding: .utf8) else {
            self.fault("\(name)_FILE", "names a file that cannot be read as text")
            return ""
        }
        let trimmed = text.trimmingCharacters(in: .newlines)
        return trimmed.isEmpty ? nil : trimmed
    }

    private func lookUp(_ name: String) -> String? {
        do {
            return try self.source.environmentValue(forName: name).flatMap { $0.isEmpty ? nil : $0 }
        } catch {
            self.fault(name, "cannot be read from the environment")
            return nil
        }
    }
}

/// A process's own variables. Each property's doc comment is the operator's documentation.
package protocol ServiceConfiguration: Sendable {
    init(_ reader: SettingsReader)
}

/// Everything that is wrong with the environment, by variable. No value is in it.
package struct ConfigurationFaults: Error, Sendable, Equatable, CustomStringConvertible {
    package struct Fault: Sendable, Equatable {
        package var variable: String
        package var reason: String
    }

    package var faults: [Fault]

    package var description: String {
        let lines = self.faults.map { "  \($0.variable) \($0.reason)" }
        return "The configuration has \(lines.count == 1 ? "one fault" : "\(lines.count) faults"):\n" + lines.joined(separator: "\n")
    }
}
