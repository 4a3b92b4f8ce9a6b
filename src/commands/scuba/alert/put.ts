import { readFileSync } from 'node:fs'
import { Args, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

const operation = remote('scuba.alert.put', async () => (await import('../../../core/scuba/operations.ts')).scubaAlertPut)

export default class ScubaAlertPut extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Put the alert rules of a YAML file, new or instead of those of the same name.'
  static override description = 'The file holds one rule, a list of them, or several documents. A starter is in templates/alerts/.'
  static override args = { file: Args.string({ description: 'the file, or - for standard input', required: true }) }
  static override examples = ['<%= config.bin %> scuba alert put templates/alerts/requests-5xx.yaml']

  async input({ args }: Parsed<typeof ScubaAlertPut>): Promise<InputOf<typeof operation>> {
    return { rules: (await rulesOf(args.file)) as InputOf<typeof operation>['rules'] }
  }

  render({ names }: OutputOf<typeof operation>): string {
    return names.map((name) => `Alert rule ${name} is in force.`).join('\n')
  }
}

/** Reads and checks the file; every fault is said with its line and column. */
async function rulesOf(file: string): Promise<unknown[]> {
  let text: string
  try {
    text = readFileSync(file === '-' ? 0 : file, 'utf8')
  } catch (cause) {
    throw new MusterError('FILE_UNREADABLE', `${file} cannot be read (${(cause as NodeJS.ErrnoException).code})`, { cause })
  }
  const { parseAllDocuments, LineCounter, isCollection } = await import('yaml')
  const { alertRuleSchema } = await import('../../../core/scuba/alert/rule.ts')
  const counter = new LineCounter()
  const documents = parseAllDocuments(text, { lineCounter: counter })
  const rules: unknown[] = []
  for (const document of Array.isArray(documents) ? documents : []) {
    const fail = (offset: number, message: string): never => {
      const { line, col } = counter.linePos(offset)
      throw new MusterError('SCUBA_ALERT_INVALID', `${file}:${line}:${col}: ${message}`)
    }
    const broken = document.errors[0]
    if (broken) fail(broken.pos[0], broken.message.split('\n')[0] ?? broken.message)
    const value: unknown = document.toJS()
    if (value === null) continue
    const list: unknown[] = Array.isArray(value) ? value : [value]
    for (const [index, rule] of list.entries()) {
      const checked = alertRuleSchema.safeParse(rule)
      const issue = checked.error?.issues[0]
      if (issue) {
        const path = [...(Array.isArray(value) ? [index] : []), ...issue.path] as (string | number)[]
        // The nearest thing that is there: a missing key is reported at what should hold it.
        let node: unknown
        for (let length = path.length; length >= 0 && node === undefined; length -= 1) {
          const found = length === 0 ? document.contents : document.getIn(path.slice(0, length), true)
          if (found !== null && typeof found === 'object' && ('range' in found || isCollection(found))) node = found
        }
        fail((node as { range?: [number] } | undefined)?.range?.[0] ?? 0, `${issue.path.join('.') || 'rule'}: ${issue.message}`)
      }
      rules.push(checked.data)
    }
  }
  if (rules.length === 0) throw new MusterError('SCUBA_ALERT_INVALID', `${file} holds no rule`)
  return rules
}
