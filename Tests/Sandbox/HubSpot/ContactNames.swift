/// What contacts are made of. Domains and companies are reserved names (RFC 2606, RFC 6761): no mail to them reaches anyone.
enum ContactNames {
    /// A name as it is written, and as it stands in an address.
    static let first: [(String, String)] = [
        ("Anna", "anna"), ("Ben", "ben"), ("Chloé", "chloe"), ("David", "david"), ("Elif", "elif"), ("Fatima", "fatima"),
        ("Gábor", "gabor"),
        ("Hannah", "hannah"), ("Ivan", "ivan"), ("José", "jose"), ("Katarzyna", "katarzyna"), ("Liam", "liam"), ("Mia", "mia"),
        ("Noah", "noah"), ("Olga", "olga"), ("Priya", "priya"), ("Quentin", "quentin"), ("Rosa", "rosa"), ("Søren", "soren"),
        ("Thi", "thi"),
        ("Uma", "uma"), ("Victor", "victor"), ("Wei", "wei"), ("Ximena", "ximena"), ("Yuki", "yuki"), ("Zoë", "zoe"),
    ]

    static let last: [(String, String)] = [
        ("Andersen", "andersen"), ("Brown", "brown"), ("Çelik", "celik"), ("Dubois", "dubois"), ("Eriksson", "eriksson"),
        ("Fischer", "fischer"),
        ("García", "garcia"), ("Haddad", "haddad"), ("Ivanova", "ivanova"), ("Johnson", "johnson"), ("Kowalski", "kowalski"), ("Li", "li"),
        ("Müller", "mueller"), ("Nguyen", "nguyen"), ("O'Brien", "obrien"), ("Patel", "patel"), ("Quispe", "quispe"), ("Rossi", "rossi"),
        ("Silva", "silva"), ("Tanaka", "tanaka"), ("Ueda", "ueda"), ("van Dijk", "vandijk"), ("Weber", "weber"), ("Xu", "xu"),
        ("Yılmaz", "yilmaz"), ("Zhang", "zhang"),
    ]

    static let companies: [(String, String)] = [
        ("Northwind Traders", "northwind.example"), ("Contoso", "contoso.example"), ("Fabrikam", "fabrikam.example"),
        ("Blue Yonder Coffee", "blueyonder.example"), ("Lindner & Söhne", "lindner.example"), ("Atelier Moreau", "moreau.example"),
        ("Kestrel Analytics", "kestrel.example"), ("Harbour Foods", "harbourfoods.example"), ("Sakura Travel", "sakura.example"),
        ("Green Valley Farm", "greenvalley.example"), ("Polar Bikes", "polarbikes.example"), ("Casa Verde", "casaverde.example"),
    ]

    static let jobs = ["Owner", "Marketing Manager", "Head of Sales", "Buyer", "Software Engineer", "Accountant", "Office Manager", "CEO"]
    static let stages = ["subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer"]
    static let cities = [
        ("Hamburg", "Germany"), ("Lyon", "France"), ("Kraków", "Poland"), ("Porto", "Portugal"), ("Austin", "United States"),
    ]
}
