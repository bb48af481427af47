import Foundation
import LocalStack
import Models
import Testing

extension EndToEnd {
    /// What the database lets each of the eight roles do.
    @Suite struct Schemas {
        private func attempt(as role: String, _ statement: String) async throws -> String {
            let stack = EndToEnd.stack
            let url = stack.postgres.url(role: role)
            do {
                try await ChildProcess.run("/usr/bin/psql", ["-qX", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statement])
                return "allowed"
            } catch let error as ChildProcess.SpawnError {
                let isRefusal = ["permission denied", "must be owner"].contains { error.description.contains($0) }
                return isRefusal ? "refused" : error.description
            }
        }

        private func tables(of schema: String) async throws -> [String] {
            try await EndToEnd.stack.postgres.psql(
                nil,
                ["-tAc", "SELECT tablename FROM pg_tables WHERE schemaname = '\(schema)' ORDER BY 1"]
            )
            .split(separator: "\n").map(String.init)
        }

        @Test(arguments: ServiceName.allCases)
        func neitherRoleOfAServiceReachesAnotherSchema(_ service: ServiceName) async throws {
            for other in ServiceName.allCases where other != service {
                let table = try #require(try await self.tables(of: other.rawValue).first)
                for role in [service.rawValue, "\(service.rawValue)_owner"] {
                    #expect(try await self.attempt(as: role, "SELECT 1 FROM \(other.rawValue).\(table)") == "refused")
                    #expect(try await self.attempt(as: role, "CREATE TABLE \(other.rawValue).intruder (id int)") == "refused")
                }
            }
        }

        @Test(arguments: ServiceName.allCases)
        func theRuntimeRoleCannotAlterItsTables(_ service: ServiceName) async throws {
            let schema = service.rawValue
            for table in try await self.tables(of: schema) {
                #expect(try await self.attempt(as: schema, "ALTER TABLE \(schema).\(table) ADD COLUMN intruder int") == "refused")
                #expect(try await self.attempt(as: schema, "DROP TABLE \(schema).\(table)") == "refused")
                #expect(try await self.attempt(as: schema, "TRUNCATE \(schema).\(table)") == "refused")
            }
            #expect(try await self.attempt(as: schema, "CREATE TABLE \(schema).intruder (id int)") == "refused")
        }

        @Test func auditRowsCannotBeChangedByTheRuntimeRole() async throws {
            #expect(try await self.attempt(as: "gateway", "SELECT count(*) FROM gateway.audit_logs") == "allowed")
            #expect(try await self.attempt(as: "gateway", "UPDATE gateway.audit_logs SET action = 'x'") == "refused")
            #expect(try await self.attempt(as: "gateway", "DELETE FROM gateway.audit_logs") == "refused")
        }
    }
}
