/// What a member (or an API key) may do: each role holds everything of the ones below it.
/// viewer reads; editor also writes campaigns; admin also writes integrations and webhooks, reads and writes API keys, and sees the members;
/// owner also invites, changes and removes members and renames the organization.
package enum Role: String, Codable, CaseIterable, Sendable, Comparable {
    case viewer, editor, admin, owner

    private var rank: Int {
        switch self {
        case .viewer: 0
        case .editor: 1
        case .admin: 2
        case .owner: 3
        }
    }

    package static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }
}
