/** Name → value; null: named without one, so it is passed on from where the import runs. */
export type EnvFile = Record<string, string | null>

const ESCAPES: Record<string, string> = { n: '\n', r: '\r', t: '\t' }

/**
 * A file of variables as docker-compose reads it: `NAME=VALUE`, `export`, comments, quotes with escapes; `${NAME}` and
 * `${NAME:-default}` are those of earlier lines, then of `env`, in single quotes too.
 */
export function parseEnvFile(text: string, env: Readonly<Record<string, string | undefined>>): EnvFile {
  const found: EnvFile = {}
  const resolve = (value: string): string =>
    value.replace(/\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}/g, (_, name: string, other?: string) => found[name] ?? env[name] ?? other ?? '')
  for (const line of text.replace(/^\uFEFF/, '').split(/\r?\n/)) {
    const [, name, rest] = /^\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*(=.*)?$/.exec(line) ?? []
    if (name === undefined) continue
    if (rest === undefined) found[name] = null
    else found[name] = valueOf(rest.slice(1).trim(), resolve)
  }
  return found
}

function valueOf(text: string, resolve: (value: string) => string): string {
  const [, single] = /^'((?:[^'\\]|\\.)*)'/.exec(text) ?? []
  if (single !== undefined) return resolve(single.replace(/\\([\\'])/g, '$1'))
  const [, double] = /^"((?:[^"\\]|\\.)*)"/.exec(text) ?? []
  if (double !== undefined) return resolve(double.replace(/\\(.)/g, (_, letter: string) => ESCAPES[letter] ?? letter))
  return resolve(text.replace(/(^|\s+)#.*$/, '').trim())
}
