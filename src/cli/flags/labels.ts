import { MusterError } from '../../core/kernel/errors.ts'

/** `--label env=prod --label team=a` → `{ env: 'prod', team: 'a' }` */
export function labelFlags(texts: readonly string[] | undefined): Record<string, string> {
  return Object.fromEntries(
    (texts ?? []).map((text) => {
      const at = text.indexOf('=')
      if (at < 1) throw new MusterError('USAGE', `--label "${text}" is not NAME=VALUE`)
      return [text.slice(0, at), text.slice(at + 1)]
    }),
  )
}
