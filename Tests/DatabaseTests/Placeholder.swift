import Testing

@Suite struct DatabasePlaceholder {
    @Test func placeholder() {}
}
