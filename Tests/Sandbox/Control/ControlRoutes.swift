import HTTPTypes
import Hummingbird
import Models

/// `/_sandbox`: what tests and the demo switch and read.
struct ControlRoutes: Sendable {
    let sandbox: Sandbox

    func mount(on router: Router<SandboxContext>) {
        let group = router.group("_sandbox")
        group.get("stats") { _, _ in self.stats() }
        group.get("mails") { _, _ in Response.json(["recipients": self.sandbox.sendGrid.mails.recipients]) }
        group.post("reset", use: self.reset)
        group.put("limits", use: self.limits)
        group.get("faults") { _, _ in Response.json(["data": .array(self.sandbox.faults.all.map(\.json))]) }
        group.post("faults", use: self.addFault)
        group.delete("faults") { _, _ in
            self.sandbox.faults.removeAll()
            return Response(status: .noContent)
        }
        group.delete("faults/{id}") { _, context in
            self.sandbox.faults.remove(try context.parameters.require("id", as: Int.self))
            return Response(status: .noContent)
        }
    }

    private func stats() -> Response {
        var members = self.sandbox.tally.json.objectValue ?? [:]
        members["mails"] = self.sandbox.sendGrid.mails.summary
        members["faults"] = .array(self.sandbox.faults.all.map(\.json))
        members["receivers"] = self.sandbox.receivers.summary
        members["contacts"] = .integer(Int64(self.sandbox.hubSpot.contactCount))
        return .json(.object(members))
    }

    /// Everything as it was at the start; `{"contacts":…,"seed":…}` starts another account.
    @Sendable private func reset(_ request: Request, _ context: SandboxContext) async throws -> Response {
        let bytes = try await request.bytes(upTo: 4096) ?? []
        let body = bytes.isEmpty ? [:] : (try? JSONValue(parsing: bytes)) ?? .null
        return try self.controlled {
            guard body.objectValue != nil else { throw ControlError("The body must be a JSON object.") }
            let contacts = try body.whole("contacts", 0...10_000_000)
            let seed = body["seed"]?.integerValue.map(UInt64.init(bitPattern:))
            self.sandbox.hubSpot.reset(seed: seed, contacts: contacts)
            self.sandbox.sendGrid.reset()
            self.sandbox.receivers.reset()
            self.sandbox.faults.removeAll()
            self.sandbox.tally.reset()
            return Response(status: .noContent)
        }
    }

    /// `{"hubspot":{"requests":100,"interval_ms":10000,"search_per_second":5}}`; `requests: 0` lifts a limit.
    @Sendable private func limits(_ request: Request, _ context: SandboxContext) async throws -> Response {
        let body = try await request.json() ?? .null
        return try self.controlled {
            if let hubSpot = body["hubspot"] {
                self.sandbox.hubSpot.limit(
                    requests: try hubSpot.whole("requests", 0...1_000_000) ?? 0,
                    interval: .milliseconds(try hubSpot.whole("interval_ms", 1...86_400_000) ?? 10_000),
                    searchesPerSecond: try hubSpot.whole("search_per_second", 0...1_000_000) ?? 0
                )
            }
            if let sendGrid = body["sendgrid"] {
                self.sandbox.sendGrid.limit(
                    requests: try sendGrid.whole("requests", 0...1_000_000) ?? 0,
                    interval: .milliseconds(try sendGrid.whole("interval_ms", 1...86_400_000) ?? 1000)
                )
            }
            return Response(status: .noContent)
        }
    }

    @Sendable private func addFault(_ request: Request, _ context: SandboxContext) async throws -> Response {
        let body = try await request.json() ?? .null
        return try self.controlled { .json(self.sandbox.faults.add(try Fault(body)).json, status: .created) }
    }

    private func controlled(_ body: () throws -> Response) throws -> Response {
        do {
            return try body()
        } catch let error as ControlError {
            return .json(["detail": .string(error.detail)], status: .badRequest)
        }
    }
}
