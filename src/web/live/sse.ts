/** A server-sent event (WHATWG HTML, section 9.2), as far as ours have parts. */
export interface SentEvent {
  id: string
  event: string
  data: string
}

/** Takes a stream's lines, one after the other; gives an event with the empty line that ends it. */
export function sseReader(): (line: string) => SentEvent | null {
  let held = { id: '', event: '', data: [] as string[] }
  return (line) => {
    if (line === '') {
      const { id, event, data } = held
      held = { id: '', event: '', data: [] }
      return data.length === 0 ? null : { id, event, data: data.join('\n') }
    }
    const [, field = '', value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? []
    if (field === 'data') held.data.push(value)
    else if (field === 'id') held.id = value
    else if (field === 'event') held.event = value
    return null
  }
}
