import type { WhyView } from '../../core/deploy/queries.ts'
import type { View } from '../terminal.ts'
import { renderEvidence } from './deploy-evidence.ts'
import { stateText } from './deploy.ts'
import { mark, paint, type Mark } from './style.ts'

const VERDICT_MARKS: Record<string, Mark> = { pass: 'ok', fail: 'bad', inconclusive: 'warn', blind: 'warn', continue: 'busy' }

const indent = (text: string): string =>
  text
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n')

/** What was decided and on which numbers: `deploy why`. */
export function renderWhy(data: WhyView, view: View): string {
  const { rollout } = data
  const because = rollout.causeText ?? rollout.heldText
  const head = `${paint(view, 'bold', `${rollout.rollout} ${rollout.service}`)}  ${rollout.fromRelease} → ${rollout.release}  ${stateText(view, rollout)}`
  const verdicts = data.verdicts.map((one) => {
    const title = `${new Date(one.atMs).toISOString()}  step ${one.step + 1}: ${mark(view, VERDICT_MARKS[one.verdict] ?? 'off', one.verdict)} (${one.reason})`
    return one.evidence === null ? title : `${title}\n${indent(renderEvidence(one.evidence, view))}`
  })
  const now =
    data.now === null
      ? []
      : [
          `now: ${mark(view, VERDICT_MARKS[data.now.verdict] ?? 'off', data.now.verdict)} (${data.now.reason})${data.now.evidence === null ? '' : `\n${indent(renderEvidence(data.now.evidence, view))}`}`,
        ]
  const events = data.events.map(
    (event) => `${new Date(event.atMs).toISOString()}  ${event.kind.padEnd(11)} ${event.text}  ${paint(view, 'dim', event.actor)}`,
  )
  return [
    because === null ? head : `${head}\n${rollout.cause ?? rollout.heldCause}: ${because}`,
    ...verdicts,
    ...now,
    `${paint(view, 'bold', 'HISTORY')}\n${events.join('\n')}`,
  ].join('\n\n')
}
