//! Templates: sentences that models were trained with, `{}` standing for what is described.

/// Puts `text` in `template`. A text that begins as the template does, in upper or lower case, was put there by its
/// writer, and stays as it is.
///
/// ```
/// use earmark_encoder::in_template;
///
/// let template = "This is a sound of {}.";
/// assert_eq!(in_template(template, "a dog"), "This is a sound of a dog.");
/// assert_eq!(in_template(template, "this is a sound of a cat"), "this is a sound of a cat");
/// ```
#[must_use]
pub fn in_template(template: &str, text: &str) -> String {
    let before = template.split("{}").next().unwrap_or_default().trim_start().to_lowercase();
    if !before.is_empty() && text.trim_start().to_lowercase().starts_with(&before) {
        return text.to_owned();
    }
    template.replace("{}", text)
}

#[cfg(test)]
mod tests {
    use super::in_template;

    #[test]
    fn only_a_text_that_begins_as_the_template_does_stays_as_it_is() {
        assert_eq!(in_template("{}", "a dog"), "a dog");
        assert_eq!(in_template("{}, recorded outdoors", "a dog"), "a dog, recorded outdoors");
        assert_eq!(in_template("the sound of {}", "The sound of rain."), "The sound of rain.");
        assert_eq!(in_template("a {}", "airplane"), "a airplane", "not by part of a word");
        assert_eq!(in_template("a {}", "a plane"), "a plane");
        assert_eq!(in_template("I hear {} and {}", "rain"), "I hear rain and rain");
    }
}
