import { formatDuration } from '../../core/kernel/units.ts'
import type { Recovery } from '../../server/delos/serve/recover.ts'
import { count } from './text.ts'

export function renderRecovery(recovery: Recovery, nowMs: number): string {
  const { name, dataDir, oldCluster, newCluster, removed, committed, kept, lastAt, cut } = recovery
  const age =
    lastAt === null
      ? 'it has no change at all'
      : `its last change is of ${new Date(lastAt).toISOString()}, ${formatDuration(Math.max(0, Math.floor((nowMs - lastAt) / 1000) * 1000))} ago`
  const more = kept > committed ? `, and ${count(kept - committed, 'position')} more that it accepted, which are kept too` : ''
  const lines = [
    `server ${name} of cluster ${oldCluster} knows position ${committed} to be decided${more}; ${age}`,
    `What may be lost: what others acknowledged after position ${kept}.`,
    ...(cut === null ? [] : [`Not taken: ${cut}.`]),
    ...(removed.length === 0 ? [] : [`${removed.join(', ')} never come back under their ids.`]),
  ]
  if (newCluster === null) return [...lines, 'Nothing was changed yet.'].join('\n')
  const start = `Start it as before: \`muster delos serve --name ${name} --data-dir ${dataDir} …\`, then add servers with \`muster delos member add\`, and count on them with \`member promote\`.`
  return [...lines, `It is cluster ${newCluster} now, of this server alone.`, start].join('\n')
}
