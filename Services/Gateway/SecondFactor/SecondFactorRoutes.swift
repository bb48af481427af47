import Database
import Encryption
import Hummingbird
import Models
import ServiceKit

/// A user's own authenticator.
struct SecondFactorRoutes: Sendable {
    let database: Postgres
    let factors: SecondFactorStore
    let check: SecondFactorCheck
    let passwords: PasswordCheck
    let trail: UserTrail

    func mount(on table: RouteTable) {
        table.mount(.beginTOTP, self.begin)
        table.mount(.confirmTOTP, self.confirm)
        table.mount(.disableTOTP, self.disable)
    }

    private struct Begun: Encodable, Sendable {
        var secret: String
        var uri: String

        private enum CodingKeys: String, CodingKey {
            case secret
            case uri = "otpauth_url"
        }
    }

    private struct Confirmed: Encodable, Sendable {
        var codes: [String]

        private enum CodingKeys: String, CodingKey { case codes = "recovery_codes" }
    }

    /// Nothing asks for the new secret before it is confirmed.
    private func begin(_ request: Request, _ context: CallerContext) async throws -> Response {
        var reader = FieldReader(try await request.jsonBody(limit: SignInLimits.body).value)
        let password = reader.secret("password")
        try reader.finish()
        let user = context.principal.userID
        let checked = try await self.passwords.check(password, of: user, in: "password", Visitor(request, context))
        let secret = try RandomToken.bytes(OneTimePassword.secretLength)
        try await self.database.transaction { transaction in
            try self.passwords.settle(checked, transaction)
            guard try self.factors.begin(secret, for: user, transaction) else {
                throw Problem(.conflict, "A second factor is set up already. Remove it first.")
            }
        }
        return try .json(Begun(secret: Base32.encode(secret), uri: OneTimePassword.uri(secret, account: checked.record.email)))
    }

    private func confirm(_ request: Request, _ context: CallerContext) async throws -> Response {
        var reader = FieldReader(try await request.jsonBody(limit: SignInLimits.body).value)
        let code = reader.secret("code", 1...20)
        try reader.finish()
        let user = context.principal.userID
        let origin = AuditOrigin(context)
        let budget = try self.check.budgets.of(.code, "\(user)")
        try await self.check.attempts.charge([budget])
        let codes = try await self.database.transaction { transaction -> [RecoveryCode]? in
            guard let codes = try self.factors.confirm(code, of: user, transaction) else { return nil }
            try self.check.attempts.refund([budget], transaction)
            try self.trail.record("user.second_factor_added", of: user, by: origin, transaction)
            return codes
        }
        guard let codes else {
            throw Problem.validation([.init(pointer: "/code", detail: "is not the present code of a new authenticator")])
        }
        // The one place where recovery codes leave the process.
        return try .json(Confirmed(codes: codes.map { $0.text.reveal() }))
    }

    private func disable(_ request: Request, _ context: CallerContext) async throws -> Response {
        var reader = FieldReader(try await request.jsonBody(limit: SignInLimits.body).value)
        let password = reader.secret("password")
        let proof = SecondFactorCheck.proof(&reader)
        try reader.finish()
        let user = context.principal.userID
        let origin = AuditOrigin(context)
        let checked = try await self.passwords.check(password, of: user, in: "password", Visitor(request, context))
        let hadOne = try await self.check.check(proof, of: user)
        try await self.database.transaction { transaction in
            try self.passwords.settle(checked, transaction)
            try self.factors.remove(of: user, transaction)
            if hadOne { try self.trail.record("user.second_factor_removed", of: user, by: origin, transaction) }
        }
        return .noContent
    }
}
