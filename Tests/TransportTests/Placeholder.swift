import Testing

@Suite struct TransportPlaceholder {
    @Test func placeholder() {}
}
