import Testing

@testable import Campaigns

@Suite struct TemplateTests {
    private let anna = TemplateValues(
        firstName: "Anna",
        lastName: "O'Neil",
        email: "anna@x.example",
        company: "Fish & <Chips>",
        jobTitle: nil
    )

    private func render(_ text: String, _ style: Template.Style, _ values: TemplateValues? = nil) throws -> String? {
        try Template(parsing: text, style: style).render(values ?? self.anna)
    }

    @Test(arguments: [
        ("Hello {{first_name}}!", "Hello Anna!"),
        ("{{ first_name }} {{\tlast_name }}", "Anna O'Neil"),
        ("{{first_name}}{{first_name}}", "AnnaAnna"),
        ("no variables", "no variables"),
        ("", ""),
        ("{ {first_name} }", "{ {first_name} }"),
        ("a } }} b", "a } }} b"),
        ("{{email}} at {{company}}", "anna@x.example at Fish & <Chips>"),
        ("{{job_title}}.", "."),
        ("{{job_title|boss}}", "boss"),
        ("{{first_name|there}}", "Anna"),
        ("{{job_title| a | b }}", "a | b"),
        ("{{job_title|}}", ""),
        ("Grüße {{first_name}} 🎉", "Grüße Anna 🎉"),
    ])
    func plainTextIsFilledIn(template: String, expected: String) throws {
        #expect(try self.render(template, .plain) == expected)
    }

    @Test func valuesAreEscapedInHTMLAndTheTemplateIsNot() throws {
        #expect(
            try self.render("<b title=\"{{company}}\">{{last_name}}</b>", .html)
                == "<b title=\"Fish &amp; &lt;Chips&gt;\">O&#39;Neil</b>"
        )
    }

    @Test func valuesCannotCarryMarkupOrVariables() throws {
        let mallory = TemplateValues(firstName: "<script>alert(\"1\")</script>", company: "{{email}}")
        #expect(
            try self.render("{{first_name}} {{company}}", .html, mallory)
                == "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; {{email}}"
        )
    }

    @Test func fallbacksAreEscapedToo() throws {
        #expect(try self.render("{{job_title|R & D}}", .html) == "R &amp; D")
    }

    @Test func blankValuesFallBack() throws {
        #expect(try self.render("{{first_name|there}}", .plain, TemplateValues(firstName: "  ")) == "there")
    }

    @Test func lineEndsOfValuesCannotEnterAHeader() throws {
        let mallory = TemplateValues(firstName: "a\r\nBcc: all@x.example")
        #expect(try self.render("Hi {{first_name}}", .line, mallory) == "Hi a  Bcc: all@x.example")
        #expect(try self.render("Hi {{first_name}}", .plain, mallory) == "Hi a\r\nBcc: all@x.example")
    }

    @Test func lineEndsOfTheTemplateCannotEnterAHeader() {
        #expect(throws: TemplateFaults.self) { try Template(parsing: "a\nb", style: .line) }
    }

    @Test func headerLinesAreCutBetweenCharacters() throws {
        let long = TemplateValues(firstName: String(repeating: "é", count: 600))
        let line = try #require(try self.render("x{{first_name}}", .line, long))
        #expect(line.utf8.count == 997)
        #expect(line.allSatisfy { $0 == "x" || $0 == "é" })
    }

    @Test func whatRendersTooLargeIsNotRendered() throws {
        let long = TemplateValues(company: String(repeating: "&", count: 500))
        #expect(try self.render(String(repeating: "{{company}}", count: 1000), .html, long) == nil)
    }

    @Test(arguments: [
        ("{{frist_name}}", 1, 1, "“first_name”"),
        ("Dear\n  {{ Company }}", 2, 3, "“company”"),
        ("é {{mail}}", 1, 3, "“email”"),
        ("{{favourite_colour}}", 1, 1, "known are first_name"),
        ("a {{first_name", 1, 3, "“}}”"),
        ("{{}}", 1, 1, "there is no variable “”"),
        ("{{{first_name}}}", 1, 1, "“first_name”"),
    ])
    func unknownNamesAreRefusedWithPlaceAndSuggestion(template: String, line: Int, column: Int, hint: String) {
        do {
            _ = try Template(parsing: template, style: .plain)
            Issue.record("\(template) was accepted")
        } catch {
            #expect(error.faults.first?.line == line)
            #expect(error.faults.first?.column == column)
            #expect(error.faults.first?.reason.contains(hint) == true, "\(error)")
        }
    }

    @Test func allFaultsAreNamedAtOnce() {
        do {
            _ = try Template(parsing: "{{a_a}} {{b_b}} {{first_name}} {{c_c}}", style: .plain)
            Issue.record("accepted")
        } catch {
            #expect(error.faults.map(\.column) == [1, 9, 32])
        }
    }
}
