/// Does the work for each item, so many at a time; results in the order of the items. The stack is idle for most of the time that one caller waits.
func inParallel<Item: Sendable, Value: Sendable>(
    _ items: [Item],
    lanes: Int = 8,
    _ work: @escaping @Sendable (Item) async throws -> Value
) async throws -> [Value] {
    try await withThrowingTaskGroup(of: (Int, Value).self) { group in
        var values = [Value?](repeating: nil, count: items.count)
        for (index, item) in items.enumerated() {
            if index >= lanes, let (done, value) = try await group.next() { values[done] = value }
            group.addTask { (index, try await work(item)) }
        }
        for try await (done, value) in group { values[done] = value }
        return values.compactMap { $0 }
    }
}
