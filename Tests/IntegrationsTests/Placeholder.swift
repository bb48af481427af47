import Testing

@Suite struct IntegrationsPlaceholder {
    @Test func placeholder() {}
}
