/// What a change did to a resource, as audit entries tell it: the members that differ, as they were and as they are.
package struct AuditedChange: Sendable, Equatable {
    package let before: [String: JSONValue]
    package let after: [String: JSONValue]

    /// A member that one side alone has stands on that side alone.
    package init(from old: [String: JSONValue], to new: [String: JSONValue]) {
        self.before = old.filter { name, value in new[name] != value }
        self.after = new.filter { name, value in old[name] != value }
    }

    package var isEmpty: Bool { self.before.isEmpty && self.after.isEmpty }

    /// `{"before":{…},"after":{…}}`
    package var details: JSONValue { ["before": .object(self.before), "after": .object(self.after)] }

    /// The same with the resource's name, by which feeds call it.
    package func members(named name: String) -> [String: JSONValue] {
        ["name": .string(name), "before": .object(self.before), "after": .object(self.after)]
    }

    package func details(named name: String) -> JSONValue { .object(self.members(named: name)) }
}
