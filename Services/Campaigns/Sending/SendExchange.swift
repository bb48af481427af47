import Foundation
import HTTPTypes
import Models
import ServiceKit
import Transport

/// One POST of a batch to integrations.
struct SendExchange: Sendable {
    enum End: Sendable, Equatable {
        /// The stream ended as it should; lines may be missing all the same.
        case complete
        /// The stream broke: what was not answered may have been sent.
        case broken(String)
        /// The request surely reached nobody.
        case unreachable(retryAfter: Double?)
        /// Integrations cannot answer now.
        case unavailable(String, retryAfter: Double?)
        /// Integrations will not send for this integration.
        case refused(String)

        /// Whether integrations may have taken messages that they did not answer for.
        var mayBeTaken: Bool {
            switch self {
            case .complete, .broken, .unavailable: true
            case .unreachable, .refused: false
            }
        }
    }

    let integrations: ServiceClient

    /// - lines: called with each chunk's outcomes as they arrive.
    func post(_ body: [UInt8], within limit: Duration, lines: @Sendable ([SendOutcome]) -> Void) async throws -> End {
        let response: HTTPClientResponse
        do {
            response = try await self.open(body, within: limit)
        } catch let error as ServiceCallError {
            guard error.kind == .notSent else { return .broken("\(error.kind)") }
            return .unreachable(retryAfter: error.retryAfter.map(Double.init))
        }
        guard response.head.status == .ok else { return try await Self.refusal(response) }
        var reader = OutcomeLines()
        do {
            for try await chunk in response.body { lines(try reader.push(chunk)) }
            return .complete
        } catch let error as TransportError {
            return .broken(error.kind.rawValue)
        } catch is OutcomeLines.Malformed {
            return .broken("malformed")
        }
    }

    private func open(_ body: [UInt8], within limit: Duration) async throws -> HTTPClientResponse {
        var timeouts = Timeouts()
        timeouts.connect = min(.seconds(2), limit)
        timeouts.total = limit
        timeouts.idle = min(.seconds(30), limit)
        var request = OutgoingRequest(.post, Route.sendMessages.template, requestID: EventID.make("req"), timeouts: timeouts)
        request.headers = [.contentType: "application/json", .accept: "application/x-ndjson"]
        request.body = .bytes(body)
        return try await self.integrations.send(request)
    }

    /// 4xx are about the batch; 401, 408, 425, 429 and 5xx about the moment or the deployment.
    private static func refusal(_ response: HTTPClientResponse) async throws -> End {
        let status = response.head.status
        let retryAfter = response.head.headerFields[.retryAfter].flatMap(Double.init)
        let bytes: [UInt8]
        do { bytes = try await response.collect(upTo: 64 << 10) } catch let error as TransportError { return .broken(error.kind.rawValue) }
        guard (400..<500).contains(status.code), ![401, 408, 425, 429].contains(status.code) else {
            return .unavailable("http_\(status.code)", retryAfter: retryAfter)
        }
        let detail = (try? JSONValue(parsing: bytes))?["detail"]?.stringValue ?? "HTTP \(status.code)"
        return .refused(SettlementRules.cleaned(detail, limit: 300))
    }
}
