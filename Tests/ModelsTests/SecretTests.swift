import Models
import Testing

@Suite struct SecretTests {
    let secret = Secret("s3cr3t")

    @Test func noWayOfPrintingShowsIt() {
        var dumped = ""
        dump(self.secret, to: &dumped)
        var printed = ""
        print(self.secret, [self.secret], ["k": self.secret], Optional(self.secret) as Any, to: &printed)
        var debugged = ""
        debugPrint(self.secret, [self.secret], to: &debugged)
        var nested = ""
        dump(Holder(secret: self.secret), to: &nested)
        for text in [
            self.secret.description, self.secret.debugDescription, "\(self.secret)", String(describing: self.secret),
            String(reflecting: self.secret),
            dumped, printed, debugged, nested, "\(Holder(secret: self.secret))", String(reflecting: Holder(secret: self.secret)),
        ] {
            #expect(!text.contains("s3cr3t"))
        }
        #expect("\(self.secret)" == "***")
        #expect(Mirror(reflecting: self.secret).children.isEmpty)
    }

    @Test func itIsReadOnlyAloud() {
        #expect(self.secret.reveal() == "s3cr3t")
        #expect(!self.secret.isEmpty)
        #expect(Secret("").isEmpty)
        #expect(self.secret == Secret("s3cr3t"))
        #expect(self.secret != Secret("other"))
    }

    private struct Holder {
        var secret: Secret
    }
}
