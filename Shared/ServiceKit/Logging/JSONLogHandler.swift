import Foundation
package import Logging
package import Models
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// One JSON object a line: time, level, message, service, request_id, organization_id, and the rest under metadata.
package struct JSONLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    package var logLevel: Logger.Level
    private let label: String
    private let service: ServiceName
    private let sink: LogSink

    package init(label: String, service: ServiceName, level: Logger.Level, sink: LogSink) {
        self.label = label
        self.service = service
        self.logLevel = level
        self.sink = sink
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var fields = self.metadata
        if let provided = self.metadataProvider?.get() { fields.merge(provided) { $1 } }
        if let given = event.metadata { fields.merge(given) { $1 } }
        if let error = event.error { fields["error"] = "\(error)" }
        // Hummingbird's own counter says nothing to anyone outside the process.
        fields["hb.request.id"] = nil

        var line: [UInt8] = []
        line.reserveCapacity(256)
        Self.append("time", Timestamp.format(Date()), to: &line, first: true)
        Self.append("level", event.level.rawValue, to: &line)
        Self.append("message", event.message.description, to: &line)
        Self.append("service", self.service.rawValue, to: &line)
        Self.append("logger", self.label, to: &line)
        for name in ["request_id", "organization_id"] {
            if let value = fields.removeValue(forKey: name) { Self.append(name, value.description, to: &line) }
        }
        if !fields.isEmpty {
            line.append(contentsOf: #","metadata":"#.utf8)
            Self.object(fields).write(into: &line)
        }
        line.append(contentsOf: "}\n".utf8)
        self.sink.write(line)
    }

    private static func append(_ name: StaticString, _ value: String, to line: inout [UInt8], first: Bool = false) {
        line.append(UInt8(ascii: first ? "{" : ","))
        JSONText.writeString(name.description, into: &line)
        line.append(UInt8(ascii: ":"))
        JSONText.writeString(Self.shortened(value), into: &line)
    }

    private static func append(_ name: String, _ value: String, to line: inout [UInt8]) {
        line.append(UInt8(ascii: ","))
        JSONText.writeString(name, into: &line)
        line.append(UInt8(ascii: ":"))
        JSONText.writeString(Self.shortened(value), into: &line)
    }

    private static func object(_ metadata: Logger.Metadata) -> JSONValue {
        .object(
            Dictionary(
                metadata.map { name, value in (name, self.isSecret(name) ? .string("***") : self.value(value)) },
                uniquingKeysWith: { $1 }
            )
        )
    }

    private static func value(_ value: Logger.MetadataValue) -> JSONValue {
        switch value {
        case .string(let text): .string(self.shortened(text))
        case .stringConvertible(let convertible): .string(self.shortened(convertible.description))
        case .dictionary(let members): self.object(members)
        case .array(let items): .array(items.map { self.value($0) })
        }
    }

    /// A last net under the `Secret` type: what is named like a secret is not printed.
    private static func isSecret(_ name: String) -> Bool {
        let name = name.lowercased()
        return ["authorization", "cookie", "password", "passphrase", "secret", "api_key", "apikey", "access_token", "refresh_token"]
            .contains { name.hasSuffix($0) }
    }

    private static func shortened(_ text: String) -> String {
        text.utf8.count <= 4096 ? text : String(text.prefix(2048)) + "…"
    }
}

/// Where log lines go. A line is one write, so that lines of several threads never mix.
package final class LogSink: Sendable {
    private let output: Mutex<Int32>
    private let capture: (@Sendable ([UInt8]) -> Void)?

    /// - descriptor: an open file descriptor, 2 for stderr.
    package init(descriptor: Int32) {
        self.output = Mutex(descriptor)
        self.capture = nil
    }

    /// Hands each line to a closure instead: for tests.
    package init(capture: @escaping @Sendable ([UInt8]) -> Void) {
        self.output = Mutex(-1)
        self.capture = capture
    }

    func write(_ line: [UInt8]) {
        if let capture { return capture(line) }
        self.output.withLock { descriptor in
            var rest = line[...]
            while !rest.isEmpty {
                let written = rest.withUnsafeBytes { systemWrite(descriptor, $0.baseAddress, $0.count) }
                if written < 0 {
                    // A log that cannot be written has nowhere to say so; an interrupted write is tried again.
                    guard errno == EINTR else { return }
                    continue
                }
                rest = rest.dropFirst(written)
            }
        }
    }
}

private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
