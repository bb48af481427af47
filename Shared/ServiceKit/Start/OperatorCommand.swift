package import Database
package import Encryption
import Foundation

/// Something that an operator does at a service's command line: the process does it with its own environment and runtime role, and ends.
package struct OperatorCommand: Sendable {
    package typealias Work = @Sendable (OperatorContext) async throws -> Void

    /// The first argument.
    package let name: String
    /// One line for the list of commands.
    let summary: String
    /// Reads the arguments behind the name, before anything else is done.
    package let parse: @Sendable ([String]) throws -> Work

    package init(_ name: String, _ summary: String, parse: @escaping @Sendable ([String]) throws -> Work) {
        self.name = name
        self.summary = summary
        self.parse = parse
    }
}

package struct OperatorContext: Sendable {
    package let database: Postgres
    package let keyRing: KeyRing
    /// Takes each line of the answer.
    package let print: @Sendable (String) -> Void

    package init(
        database: Postgres,
        keyRing: KeyRing,
        print: @escaping @Sendable (String) -> Void = { FileHandle.standardOutput.write(Data("\($0)\n".utf8)) }
    ) {
        self.database = database
        self.keyRing = keyRing
        self.print = print
    }
}

/// Why a command could not do what it was asked to: the process prints it and ends with 1.
package struct OperatorFailure: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
