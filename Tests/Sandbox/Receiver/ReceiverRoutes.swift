import Foundation
import HTTPTypes
import Hummingbird
import Models
import ServiceLifecycle

/// `/_sandbox/receiver/{name}`: POST delivers, PUT sets up, GET reads, DELETE forgets.
struct ReceiverRoutes: Sendable {
    let receivers: ReceiverBook

    func mount(on router: Router<SandboxContext>) {
        let group = router.group("_sandbox/receiver/{name}")
        group.post(use: self.deliver)
        group.put(use: self.setUp)
        group.get { _, context in Response.json(self.receivers.find(try Self.name(context)).json) }
        group.get("deliveries", use: self.list)
        group.get("ids") { _, context in
            let ids = self.receivers.find(try Self.name(context)).ids
            return Response.json(["ids": .object(ids.mapValues { .integer(Int64($0)) })])
        }
        group.delete { _, context in
            self.receivers.remove(try Self.name(context))
            return Response(status: .noContent)
        }
    }

    private static func name(_ context: SandboxContext) throws -> String { try context.parameters.require("name") }

    @Sendable private func deliver(_ request: Request, _ context: SandboxContext) async throws -> Response {
        let name = try Self.name(context)
        guard let body = try await request.bytes(upTo: 16 << 20) else { return Response(status: .contentTooLarge) }
        let delivery = ReceivedDelivery(headers: request.headers, body: body, receivedAt: Date())
        let (status, delay, retryAfter) = self.receivers.update(name) { receiver in
            (receiver.take(delivery), receiver.delay, receiver.retryAfter)
        }
        if delay > .zero { try await cancelWhenGracefulShutdown { try await Task.sleep(for: delay) } }
        let response = Response.json(["received": true], status: HTTPResponse.Status(code: status))
        guard let retryAfter, !(200..<300).contains(status) else { return response }
        return response.adding([("Retry-After", retryAfter)])
    }

    /// `{"secret","status" | "statuses","delay_ms","retry_after"}`: what is not named stays as it was.
    @Sendable private func setUp(_ request: Request, _ context: SandboxContext) async throws -> Response {
        let name = try Self.name(context)
        guard let body = try await request.json(), body.objectValue != nil else {
            return .json(["detail": "The body must be a JSON object."], status: .badRequest)
        }
        do {
            let statuses = try Self.statuses(body)
            let delay = try body.whole("delay_ms", 0...3_600_000)
            let json = self.receivers.update(name) { receiver in
                if let secret = body["secret"]?.stringValue { receiver.learn(secret: secret) }
                if let statuses { receiver.statuses = statuses }
                if let delay { receiver.delay = .milliseconds(delay) }
                if let value = body["retry_after"] { receiver.retryAfter = value.stringValue ?? value.integerValue.map(String.init) }
                return receiver.json
            }
            return .json(json)
        } catch {
            return .json(["detail": .string(error.detail)], status: .badRequest)
        }
    }

    private static func statuses(_ body: JSONValue) throws(ControlError) -> [Int]? {
        if let one = try body.whole("status", 200...599) { return [one] }
        guard let items = body["statuses"]?.arrayValue else { return nil }
        let statuses = items.compactMap(\.integerValue).map(Int.init)
        guard statuses.count == items.count, statuses.allSatisfy((200...599).contains) else {
            throw ControlError("statuses must be whole numbers from 200 to 599.")
        }
        return statuses
    }

    /// The latest deliveries with their bodies, newest first.
    @Sendable private func list(_ request: Request, _ context: SandboxContext) async throws -> Response {
        let limit = request.query("limit").flatMap(Int.init) ?? 100
        let deliveries = self.receivers.find(try Self.name(context)).deliveries.suffix(max(0, limit)).reversed()
        return .json(["data": .array(deliveries.map(\.json))])
    }
}
