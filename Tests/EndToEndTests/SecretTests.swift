import Foundation
import LocalStack
import Models
import Testing

extension EndToEnd {
    @Suite struct Secrets {
        /// After a whole job, neither a log nor any text column holds what the job was given or told in confidence.
        @Test func noLogAndNoColumnHoldsACredential() async throws {
            let stack = EndToEnd.stack
            let job = DemoJob(stack: stack, name: "confidential")
            try await stack.renewSink()
            let (credentials, summary) = try await job.run(email: "confidential@demo.example", password: "a password nobody may read 5512")
            #expect(summary.isExact)
            let secrets = [
                credentials.password, credentials.apiKey, credentials.accessToken, DemoJob.hubSpotToken,
                try #require(summary.webhookSecret), "/_sandbox/receiver/confidential",
            ]
            for file in try FileManager.default.contentsOfDirectory(atPath: "\(stack.settings.runDirectory)/logs")
            where file != "sandbox.log" && file != "smtp-sink.log" {
                let text = try String(contentsOfFile: "\(stack.settings.runDirectory)/logs/\(file)", encoding: .utf8)
                for secret in secrets { #expect(!text.contains(secret), "\(file) holds a secret") }
            }
            let found = try await Self.search(stack, for: secrets)
            #expect(found == [])
        }

        /// `schema.table.column` of every text, json or bytea column that holds one of the secrets, as text or as its bytes.
        static func search(_ stack: Stack, for secrets: [String]) async throws -> [String] {
            let columns = try await stack.postgres.psql(
                nil,
                [
                    "-tAc",
                    """
                    SELECT format('%I.%I|%I', table_schema, table_name, column_name) FROM information_schema.columns
                    WHERE table_schema IN ('gateway', 'integrations', 'campaigns', 'webhooks')
                    AND data_type IN ('text', 'character varying', 'json', 'jsonb', 'bytea', 'ARRAY')
                    """,
                ]
            )
            .split(separator: "\n").map { $0.split(separator: "|") }
            var found: [String] = []
            for column in columns where column.count == 2 {
                let conditions = secrets.flatMap { secret in
                    let hex = secret.utf8.map { String(format: "%02x", $0) }.joined()
                    return ["\(column[1])::text LIKE '%\(secret.replacing("_", with: "\\_"))%'", "\(column[1])::text LIKE '%\(hex)%'"]
                }
                let count = try await stack.postgres.psql(
                    nil,
                    ["-tAc", "SELECT count(*) FROM \(column[0]) WHERE \(conditions.joined(separator: " OR "))"]
                )
                .trimmingCharacters(in: .whitespacesAndNewlines)
                if count != "0" { found.append("\(column[0]).\(column[1])") }
            }
            return found
        }
    }
}
