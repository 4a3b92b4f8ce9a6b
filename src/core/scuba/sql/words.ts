/** Words and quoted names of an expression, lower case: at least all columns it names, perhaps some more. */
export function words(expression: string): Set<string> {
  return new Set(
    [...expression.matchAll(/"((?:[^"]|"")*)"|[\p{L}\p{N}_$]+/gu)].map((match) =>
      (match[1] ?? match[0]).replaceAll('""', '"').toLowerCase(),
    ),
  )
}
