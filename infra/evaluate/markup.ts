/**
 * For HTML and SVG, between tags and in attributes with double quotes. Names come from bundles and
 * folders, which anybody may have made.
 */
export function escapeMarkup(text: string): string {
  return oneLine(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** For Markdown that a terminal shows too: no tags, links, pictures or columns of its own. */
export function escapeMarkdown(text: string): string {
  return oneLine(text)
    .replaceAll('|', '/')
    .replaceAll(/[\\<[`]/g, '\\$&');
}

/** XML forbids most control characters, and a terminal obeys them. */
function oneLine(text: string): string {
  return text.replaceAll(/[\s\p{Cc}]+/gu, ' ');
}
