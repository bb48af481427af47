import Foundation
import Models
import ServiceKit
import Testing

@Suite struct IdentityTests {
    private let now = Date(timeIntervalSince1970: 1_800_000_000)

    private var identity: InternalIdentity {
        InternalIdentity(
            caller: .gateway,
            callee: .campaigns,
            principal: .key(.editor, [.campaignsWrite, .contactsRead]),
            requestID: "req-1",
            publicURL: "https://example.com/api/v1/campaigns?x=1",
            clientAddress: "203.0.113.9",
            expires: 1_800_000_030
        )
    }

    private let request = SignedRequest(method: "POST", path: "/api/v1/campaigns?x=1", body: .bytes(Array("{}".utf8)))

    private func header() throws -> String { try TestKeys.identities(.gateway).sign(self.identity, for: self.request) }

    private func verify(_ header: String?, method: String = "POST", path: String = "/api/v1/campaigns?x=1", at date: Date? = nil) throws
        -> VerifiedIdentity
    {
        try TestKeys.identities(.campaigns).verify(header, method: method, path: path, now: date ?? self.now)
    }

    @Test func signedIdentityComesBackWhole() throws {
        let verified = try self.verify(try self.header())
        #expect(verified.identity == self.identity)
        try verified.check(body: Array("{}".utf8))
    }

    @Test func otherMethodPathQueryOrBodyIsRefused() throws {
        let header = try self.header()
        #expect(throws: IdentityError.badSignature) { try self.verify(header, method: "DELETE") }
        #expect(throws: IdentityError.badSignature) { try self.verify(header, path: "/api/v1/campaigns") }
        #expect(throws: IdentityError.badSignature) { try self.verify(header, path: "/api/v1/contacts?x=1") }
        #expect(throws: IdentityError.bodyChanged) { try self.verify(header).check(body: Array("{} ".utf8)) }
    }

    @Test func everyChangedCharacterIsRefused() throws {
        let header = Array(try self.header())
        for index in header.indices where index % 7 == 0 {
            var changed = header
            changed[index] = changed[index] == "A" ? "B" : "A"
            #expect(throws: IdentityError.self) { try self.verify(String(changed)) }
        }
    }

    @Test func expiredAndFarFutureHeadersAreRefused() throws {
        let header = try self.header()
        _ = try self.verify(header, at: self.now + 34)
        #expect(throws: IdentityError.expired) { try self.verify(header, at: self.now + 40) }
        #expect(throws: IdentityError.expired) { try self.verify(header, at: self.now - 60) }
    }

    @Test(arguments: [nil, "", "v1", "v1..", "v2.e30.e30", "v1.e30.e30", "v1.!!.??"])
    func malformedHeaderIsRefused(header: String?) {
        #expect(throws: IdentityError.self) { try self.verify(header) }
    }

    @Test func headerForAnotherCalleeIsRefused() throws {
        var identity = self.identity
        identity.callee = .integrations
        let header = try TestKeys.identities(.gateway).sign(identity, for: self.request)
        #expect(throws: IdentityError.self) { try self.verify(header) }
    }

    /// The same pair of secrets signs both ways; the direction is part of the key.
    @Test func headerPlayedBackToItsSenderIsRefused() throws {
        var identity = self.identity
        identity.caller = .campaigns
        identity.callee = .gateway
        let header = try TestKeys.identities(.campaigns).sign(identity, for: self.request)
        let error = #expect(throws: IdentityError.self) {
            try TestKeys.identities(.campaigns).verify(header, method: "POST", path: "/api/v1/campaigns?x=1", now: self.now)
        }
        #expect(error == .unknownCaller)
    }

    @Test func bothLiveKeysAreTaken() throws {
        let old = Secret(String(repeating: "o", count: 32))
        let new = Secret(String(repeating: "n", count: 32))
        let receiver = try IdentityKeys(service: .campaigns, keys: [.gateway: [new, old]])
        for keys in [[old], [new], [new, old]] {
            let sender = try IdentityKeys(service: .gateway, keys: [.campaigns: keys])
            let header = try sender.sign(self.identity, for: self.request)
            _ = try receiver.verify(header, method: "POST", path: self.request.path, now: self.now)
        }
        let stranger = try IdentityKeys(service: .gateway, keys: [.campaigns: [Secret(String(repeating: "s", count: 32))]])
        let header = try stranger.sign(self.identity, for: self.request)
        #expect(throws: IdentityError.badSignature) {
            try receiver.verify(header, method: "POST", path: self.request.path, now: self.now)
        }
    }

    @Test func streamedBodyIsNotBound() throws {
        let streamed = SignedRequest(method: "POST", path: "/x", body: .streamed)
        let header = try TestKeys.identities(.gateway).sign(self.identity, for: streamed)
        let verified = try self.verify(header, path: "/x")
        #expect(!verified.isBodyBound)
        try verified.check(body: Array("anything".utf8))
    }
}
