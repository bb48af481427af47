import Testing

@Suite struct GatewayPlaceholder {
    @Test func placeholder() {}
}
