import HTTPTypes
import Hummingbird
import Logging
import Metrics
import Models
import NIOCore
import Synchronization

/// One line and one observation for each request, with status, duration and bytes.
struct AccessLog: Sendable {
    let request: Request
    let context: BaseContext
    let start: ContinuousClock.Instant
    var observer: RouteTable.Observer?

    /// Bodies up to this size are handed to the socket in one write with the head, and logged then; wrapping them would cost three writes.
    private static let atOnce = 64 << 10

    func attach(to response: Response) -> Response {
        if let length = response.body.contentLength, length <= Self.atOnce {
            self.record(response.status, bytes: length, isComplete: true)
            return response
        }
        var response = response
        let body = response.body
        let status = response.status
        response.body = ResponseBody(contentLength: body.contentLength) { writer in
            let counter = ByteCounter()
            do {
                try await body.write(CountingWriter(writer: writer, counter: counter))
                self.record(status, bytes: counter.count, isComplete: true)
            } catch {
                self.record(status, bytes: counter.count, isComplete: false)
                throw error
            }
        }
        return response
    }

    private func record(_ status: HTTPResponse.Status, bytes: Int, isComplete: Bool) {
        let duration = ContinuousClock.now - self.start
        let notes = self.context.notes.snapshot
        let template = notes.route?.template ?? "unmatched"
        Metrics.Timer(
            label: "http_request_duration",
            dimensions: [("method", self.methodLabel), ("route", template), ("status", "\(status.code / 100)xx")]
        ).record(duration: duration)

        let isOperation = OperationsRoutes.paths.contains(self.request.uri.path)
        if let observer, !isOperation, notes.caller == nil { observer(self.observed(notes, status, duration, bytes)) }
        let level = isOperation ? Logger.Level.debug : .info
        guard level >= self.context.logger.logLevel else { return }
        var metadata: Logger.Metadata = [
            "method": "\(self.request.method.rawValue)",
            // Without the query: it may carry tokens of callback routes.
            "path": "\(self.request.uri.path)",
            "route": "\(template)",
            "status": "\(status.code)",
            "duration_ms": "\(duration.milliseconds)",
            "bytes": "\(bytes)",
        ]
        if let address = self.context.clientAddress { metadata["client"] = "\(address)" }
        if let principal = notes.principal {
            metadata["organization_id"] = "\(principal.organizationID)"
            metadata["actor"] = "\(principal.actor)"
        }
        if let caller = notes.caller { metadata["caller"] = "\(caller.rawValue)" }
        if !isComplete { metadata["aborted"] = "true" }
        self.context.logger.log(level: level, "request", metadata: metadata)
    }

    private func observed(_ notes: RequestNotes.Values, _ status: HTTPResponse.Status, _ duration: Duration, _ bytes: Int)
        -> ObservedRequest
    {
        ObservedRequest(
            route: notes.route,
            principal: notes.principal,
            status: status.code,
            duration: duration,
            requestBytes: self.request.headers[.contentLength].flatMap { Int64($0) },
            responseBytes: Int64(bytes),
            clientAddress: self.context.clientAddress,
            agent: self.request.headers[.userAgent],
            requestID: self.context.requestID
        )
    }

    /// Strangers can invent methods: only known ones become labels.
    private var methodLabel: String {
        Route.Method(rawValue: self.request.method.rawValue)?.rawValue ?? "other"
    }
}

private final class ByteCounter: Sendable {
    private let bytes = Mutex(0)
    var count: Int { self.bytes.withLock { $0 } }
    func add(_ count: Int) { self.bytes.withLock { $0 += count } }
}

private struct CountingWriter: ResponseBodyWriter {
    var writer: any ResponseBodyWriter
    let counter: ByteCounter

    mutating func write(_ buffer: ByteBuffer) async throws {
        try await self.writer.write(buffer)
        self.counter.add(buffer.readableBytes)
    }

    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {
        try await self.writer.finish(trailingHeaders)
    }
}

extension Duration {
    /// Whole milliseconds with three decimals.
    var milliseconds: Double {
        let nanoseconds = Double(self.components.seconds) * 1e9 + Double(self.components.attoseconds) / 1e9
        return (nanoseconds / 1e3).rounded() / 1e3
    }
}
