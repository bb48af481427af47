import Foundation

/// The one scale on which latencies are counted: four buckets to each power of two from 64 µs to about 67 s (2^26 µs), one below and one above.
/// Each bucket's upper bound is 2^(1/4), about 19 %, above its lower one. Since all histograms share it, they add up element by element, over
/// hours, keys and routes. Part of what is stored: it never changes.
enum LatencyScale {
    private static let perOctave = 4
    private static let lowestExponent = 6
    private static let highestExponent = 26
    /// Buckets of a histogram.
    static let count = (highestExponent - lowestExponent) * perOctave + 2

    /// Which bucket counts a duration of so many microseconds.
    static func bucket(of microseconds: Int64) -> Int {
        if microseconds < 1 << self.lowestExponent { return 0 }
        if microseconds >= 1 << self.highestExponent { return self.count - 1 }
        let octaves = log2(Double(microseconds)) - Double(self.lowestExponent)
        return min(1 + Int(octaves * Double(self.perOctave)), self.count - 2)
    }

    /// The duration, in microseconds, that this share (0…1) of the requests did not exceed: the geometric middle of the bucket in which it lies.
    ///
    /// Between 64 µs and 67 s the true value lies within a factor of 2^(1/8) of it, that is at most 8.4 % below to 9.1 % above. Below that range
    /// 64 µs is answered, which the true value does not reach; above it 2^26 µs, which the true value may exceed by any amount.
    /// - Returns: nil where nothing was counted.
    static func percentile(_ share: Double, of counts: [Int64]) -> Double? {
        let total = counts.reduce(0, +)
        guard total > 0 else { return nil }
        let rank = max(1, Int64((share * Double(total)).rounded(.up)))
        var seen: Int64 = 0
        for (bucket, count) in counts.enumerated() {
            seen += count
            if seen >= rank { return self.middle(of: bucket) }
        }
        return self.middle(of: counts.count - 1)
    }

    private static func middle(of bucket: Int) -> Double {
        if bucket <= 0 { return exp2(Double(self.lowestExponent)) }
        if bucket >= self.count - 1 { return exp2(Double(self.highestExponent)) }
        return exp2(Double(self.lowestExponent) + (Double(bucket) - 0.5) / Double(self.perOctave))
    }
}
