/** Puts a text where a paste takes it from; false where the browser does not allow it. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    // Without a gesture or the right: the text is shown instead.
    return false
  }
}
