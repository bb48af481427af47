import Database
import Encryption
import HTTPTypes
import Hummingbird
import Logging
import Models
import NIOCore
import Transport

/// What an error becomes for the client, and how loudly it is logged. The one place where errors turn into HTTP.
struct ErrorAnswer {
    var problem: Problem
    /// Unexpected: logged at `.error` with its details.
    var isUnexpected = false

    init(_ error: any Error) {
        switch error {
        case let problem as Problem: self.problem = problem
        case let error as ServiceCallError: self.problem = error.problem
        case let error as DatabaseError: self = Self.database(error)
        case let error as TransportError: self.problem = Self.transport(error)
        case let error as HTTPError: self.problem = Self.http(error)
        case let error as DecodingError: self.problem = Self.decoding(error)
        case is NIOTooManyBytesError: self.problem = Problem(.payloadTooLarge, "The body is too large.")
        case is CancellationError:
            self.problem = Problem(.unavailable, "The process is shutting down or the request was given up.", retryAfter: 1)
        default: self = Self.unknown
        }
    }

    private init(_ problem: Problem, isUnexpected: Bool) {
        self.problem = problem
        self.isUnexpected = isUnexpected
    }

    func log(_ error: any Error, to logger: Logger) {
        if self.isUnexpected {
            // Errors print no parameter values by themselves (Database, Transport, Encryption), so that their details may be logged.
            logger.error("Request failed", metadata: ["error": "\(String(reflecting: error))", "type": "\(type(of: error))"])
        } else if self.problem.kind.status >= 500 {
            logger.warning("Request could not be served", metadata: ["error": "\(error)"])
        }
    }

    private static let unknown = Self(
        Problem(.internal, "The request could not be served; the fault is logged under its request id."),
        isUnexpected: true
    )

    private static func database(_ error: DatabaseError) -> ErrorAnswer {
        if error.isUniqueViolation { return Self(Problem(.conflict, "This is there already."), isUnexpected: false) }
        let away = Problem(.unavailable, "The database is not reachable; try again.", retryAfter: 1)
        switch error.kind {
        case .unavailable, .timedOut, .cancelled: return Self(away, isUnexpected: false)
        case .connectionLost:
            let unsure = "The connection to the database broke: the request may or may not have been carried out."
            return Self(Problem(.unavailable, unsure, retryAfter: 1), isUnexpected: true)
        case .server where error.isRetryable:
            return Self(Problem(.unavailable, "Another request was in the way; try again.", retryAfter: 1), isUnexpected: false)
        case .server, .decoding, .misuse: return Self.unknown
        }
    }

    private static func transport(_ error: TransportError) -> Problem {
        switch error.kind {
        case .timedOut: Problem(.timeout, "A service behind this one took too long.")
        case .connect, .resolve, .shuttingDown, .busy: Problem(.unavailable, "A service behind this one is not reachable.", retryAfter: 1)
        default: Problem(.badGateway, "A service behind this one answered wrongly.")
        }
    }

    /// Hummingbird's own errors, by status.
    private static func http(_ error: HTTPError) -> Problem {
        let kind = Problem.Kind.allCases.first { $0.status == error.status.code && $0 != .idempotencyMismatch && $0 != .idempotencyRunning }
        if let kind { return Problem(kind, error.body ?? kind.title + ".") }
        return error.status.code < 500 ? Problem(.badRequest, error.body ?? "The request cannot be read.") : Self.unknown.problem
    }

    private static func decoding(_ error: DecodingError) -> Problem {
        let (path, detail): ([any CodingKey], String) =
            switch error {
            case .keyNotFound(let key, let context): (context.codingPath + [key], "is missing")
            case .valueNotFound(_, let context): (context.codingPath, "must not be null")
            case .typeMismatch(_, let context): (context.codingPath, "has the wrong type")
            case .dataCorrupted(let context): (context.codingPath, context.codingPath.isEmpty ? "is not JSON" : "is malformed")
            @unknown default: ([], "cannot be read")
            }
        let pointer = path.map { "/" + JSONPointer.escape($0.intValue.map { String($0) } ?? $0.stringValue) }.joined()
        return Problem.validation([Problem.Fault(pointer: pointer, detail: detail)])
    }
}
