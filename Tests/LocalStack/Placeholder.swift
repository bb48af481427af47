enum LocalStackPlaceholder {}
