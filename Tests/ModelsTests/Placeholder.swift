import Testing

@Suite struct ModelsPlaceholder {
    @Test func placeholder() {}
}
