import type { JSX } from 'preact'
import type { PanelAnswer, PanelGroup } from '../../core/scuba/wire-types.ts'
import { Scroll } from '../shell/scroll.tsx'
import { count } from '../shell/text.ts'
import { useColours } from './colours.ts'
import { clipped, plainText } from '../../core/scuba/explore/conditions.ts'
import { changeText, valueText } from './numbers.ts'
import { groupLabel } from '../../core/scuba/explore/series.ts'

export interface GroupTableProps {
  answer: PanelAnswer
  /** lines have their colours beside them */
  hasColours?: boolean
  onHover?: (key: string | null) => void
  onOnly?: (group: PanelGroup) => void
  onNot?: (group: PanelGroup) => void
  onRows?: (group: PanelGroup) => void
}

/** The groups with their values over the whole range: the legend of the charts, and their table. */
export function GroupTable({ answer, hasColours = true, onHover, onOnly, onNot, onRows }: GroupTableProps): JSX.Element {
  const colours = useColours()
  const { by, calc, groups, groupCount, compare, isGroupCountExact } = answer
  const calcs = calc.filter((each) => !each.startsWith('heatmap:'))
  const earlierOf = (group: PanelGroup): PanelGroup | undefined =>
    compare?.groups.find((each) => groupLabel(by, each) === groupLabel(by, group))
  const hidden = groupCount - groups.filter(({ isOther }) => !isOther).length
  return (
    <>
      <Scroll label="Groups">
        <table class="groups">
          <thead>
            <tr>
              {by.length === 0 ? (
                <th scope="col">group</th>
              ) : (
                by.map((column) => (
                  <th key={column} scope="col">
                    {column}
                  </th>
                ))
              )}
              {calcs.map((each) => (
                <>
                  <th key={each} scope="col" class="number">
                    {each}
                  </th>
                  {compare !== undefined && (
                    <th scope="col" class="number">
                      earlier
                    </th>
                  )}
                  {compare !== undefined && (
                    <th scope="col" class="number">
                      change
                    </th>
                  )}
                </>
              ))}
              {onOnly !== undefined && <th scope="col" aria-label="what to do with it" />}
            </tr>
          </thead>
          <tbody>
            {groups.map((group, i) => {
              const label = groupLabel(by, group)
              const earlier = earlierOf(group)
              return (
                <tr key={label} onMouseEnter={() => onHover?.(`${label} ${i}`)} onMouseLeave={() => onHover?.(null)}>
                  {(by.length === 0 || group.isOther ? [label] : by.map((column) => plainText(group.key[column]))).map((text, column) => (
                    <td key={column} colSpan={group.isOther ? Math.max(1, by.length) : 1}>
                      {column === 0 && hasColours && <i class="swatch" style={{ background: colours.line(i) }} />} {clipped(text)}
                    </td>
                  ))}
                  {calcs.map((each) => (
                    <>
                      <td key={each} class="number">
                        {valueText(group.values[each], each)}
                      </td>
                      {compare !== undefined && <td class="number">{valueText(earlier?.values[each], each)}</td>}
                      {compare !== undefined && <td class="number">{changeText(group.values[each], earlier?.values[each])}</td>}
                    </>
                  ))}
                  {onOnly !== undefined && (
                    <td class="acts">
                      {!group.isOther && by.length > 0 && (
                        <>
                          <button type="button" class="tiny" onClick={() => onOnly(group)} aria-label={`only ${label}`}>
                            only
                          </button>
                          <button type="button" class="tiny" onClick={() => onNot?.(group)} aria-label={`without ${label}`}>
                            not
                          </button>
                        </>
                      )}
                      {!group.isOther && (
                        <button type="button" class="tiny" onClick={() => onRows?.(group)} aria-label={`rows of ${label}`}>
                          rows
                        </button>
                      )}
                    </td>
                  )}
                </tr>
              )
            })}
          </tbody>
        </table>
      </Scroll>
      {hidden > 0 && (
        <p class="empty">
          {count(groups.length)} of {isGroupCountExact ? '' : 'at least '}
          {count(groupCount)} groups are shown{groups.some(({ isOther }) => isOther) ? '; the others are one line' : ''}.
        </p>
      )}
    </>
  )
}
