import ArgumentParser
import Encryption
import Models
import ServiceKit

/// Walks the chains of the audit log; ends with 1 where one is broken.
struct VerifyAudit: OperatorArguments {
    static let configuration = CommandConfiguration(commandName: "verify-audit", abstract: "check the chains of the audit log")

    @Option(help: "Only this organization's chain.")
    var organization: OrganizationID?

    @Option(help: "A head from the shipped logs, as position:mac; needs --organization. Shows a tail that was cut together with its head.")
    var published: String?

    func validate() throws {
        guard let published else { return }
        guard self.organization != nil else { throw ValidationError("--published needs --organization.") }
        guard Self.head(published, of: OrganizationID(1)) != nil else {
            throw ValidationError("--published is a position and a MAC in hexadecimal, 128:9f86…")
        }
    }

    func run(_ context: OperatorContext) async throws {
        let verifier = AuditVerifier(database: context.database, chain: try AuditChain(context.keyRing))
        let broken = try await self.walk(verifier, context)
        guard broken == 0 else { throw OperatorFailure("\(broken) chain\(broken == 1 ? " is" : "s are") broken.") }
    }

    /// - Returns: how many chains are broken.
    private func walk(_ verifier: AuditVerifier, _ context: OperatorContext) async throws -> Int {
        if let organization {
            guard try await OperatorStore(database: context.database).find(organization) != nil else {
                throw OperatorFailure("There is no organization \(organization).")
            }
            let published = self.published.flatMap { Self.head($0, of: organization) }
            return try await self.report(verifier.verify(organization, published: published), context)
        }
        var broken = 0
        var last: OrganizationID?
        while true {
            let page = try await verifier.organizations(after: last)
            guard !page.isEmpty else { return broken }
            for organization in page { broken += try await self.report(verifier.verify(organization), context) }
            last = page.last
        }
    }

    private func report(_ verdict: AuditVerdict, _ context: OperatorContext) -> Int {
        let head = verdict.head
        if let fault = verdict.fault {
            context.print("organization \(verdict.organization): \(fault.text)")
            return 1
        }
        let place = head.position == 0 ? "no protected entries yet" : "head \(head.position):\(Hex.encode(head.mac))"
        context.print("organization \(verdict.organization): ok, \(place)")
        return 0
    }

    private static func head(_ text: String, of organization: OrganizationID) -> AuditHead? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let position = Int64(parts[0]), position > 0, let mac = Hex.decode(String(parts[1])),
            mac.count == HMAC.Algorithm.sha256.length
        else { return nil }
        return AuditHead(organization: organization, position: position, mac: mac)
    }
}
