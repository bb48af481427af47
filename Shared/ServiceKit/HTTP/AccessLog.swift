import HTTPTypes
import Hummingbird
import Logging
import Models
import NIOCore
import Synchronization

/// One line and one observation for each request, with status, duration and bytes.
struct AccessLog: Sendable {
    let observer: RouteTable.Observer?
    private let durations = TimerFamily<Answered>("http_request_duration") {
        [("method", $0.method?.rawValue ?? "other"), ("route", $0.template), ("status", "\($0.statusClass)xx")]
    }

    init(observer: RouteTable.Observer?) { self.observer = observer }

    private struct Answered: Hashable {
        /// Strangers can invent methods: only known ones become labels.
        var method: Route.Method?
        var template: String
        var statusClass: Int
    }

    /// A request and what became of it.
    struct Entry: Sendable {
        var observed: ObservedRequest
        var method: HTTPRequest.Method
        /// With or without its query, which is not logged: it may carry tokens of callback routes.
        var target: String
        /// Another process of the house.
        var caller: ServiceName?
        var isOperation = false
        /// False where the answer did not reach its end.
        var isComplete = true
    }

    /// Bodies up to this size are handed to the socket in one write with the head, and logged then; wrapping them would cost three writes.
    static let atOnce = 64 << 10

    func attach(to response: Response, _ request: Request, _ context: BaseContext, since start: ContinuousClock.Instant) -> Response {
        let status = response.status
        let record = { @Sendable (bytes: Int, isComplete: Bool) in
            var entry = Self.entry(request, context, status, since: start, bytes: bytes)
            entry.isComplete = isComplete
            self.record(entry, to: context.logger)
        }
        if let length = response.body.contentLength, length <= Self.atOnce {
            record(length, true)
            return response
        }
        var response = response
        let body = response.body
        response.body = ResponseBody(contentLength: body.contentLength) { writer in
            let counter = ByteCounter()
            do {
                try await body.write(CountingWriter(writer: writer, counter: counter))
                record(counter.count, true)
            } catch {
                record(counter.count, false)
                throw error
            }
        }
        return response
    }

    private static func entry(
        _ request: Request,
        _ context: BaseContext,
        _ status: HTTPResponse.Status,
        since start: ContinuousClock.Instant,
        bytes: Int
    ) -> Entry {
        let notes = context.notes.snapshot
        return Entry(
            observed: ObservedRequest(
                route: notes.route,
                principal: notes.principal,
                status: status.code,
                duration: ContinuousClock.now - start,
                requestBytes: request.headers[.contentLength].flatMap { Int64($0) },
                responseBytes: Int64(bytes),
                clientAddress: context.clientAddress,
                agent: request.headers[.userAgent],
                requestID: context.requestID
            ),
            method: request.method,
            target: request.uri.path,
            caller: notes.caller,
            isOperation: OperationsRoutes.paths.contains(request.uri.path)
        )
    }

    /// - logger: with the request's id and trace.
    func record(_ entry: Entry, to logger: @autoclosure () -> Logger) {
        let observed = entry.observed
        let template = observed.route?.template ?? "unmatched"
        self.durations.record(
            observed.duration,
            Answered(method: Route.Method(rawValue: entry.method.rawValue), template: template, statusClass: observed.status / 100)
        )
        if let observer, !entry.isOperation, entry.caller == nil { observer(observed) }
        let logger = logger()
        let level = entry.isOperation ? Logger.Level.debug : .info
        guard level >= logger.logLevel else { return }
        logger.log(level: level, "request", metadata: Self.metadata(entry, template))
    }

    private static func metadata(_ entry: Entry, _ template: String) -> Logger.Metadata {
        let observed = entry.observed
        var metadata: Logger.Metadata = [
            "method": "\(entry.method.rawValue)",
            "path": "\(entry.target.prefix { $0 != "?" })",
            "route": "\(template)",
            "status": "\(observed.status)",
            "duration_ms": "\(observed.duration.milliseconds)",
            "bytes": "\(observed.responseBytes)",
        ]
        if let address = observed.clientAddress { metadata["client"] = "\(address)" }
        if let principal = observed.principal {
            metadata["organization_id"] = "\(principal.organizationID)"
            metadata["actor"] = "\(principal.actor)"
        }
        if let caller = entry.caller { metadata["caller"] = "\(caller.rawValue)" }
        if !entry.isComplete { metadata["aborted"] = "true" }
        return metadata
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
