export interface KeyNote {
  /** `services.web.ports` */
  key: string
  status: 'mapped' | 'changed' | 'unsupported'
  /** what it became, what it means now, or why it was left out */
  note: string
}

/** Says what became of a key of one service. */
export type Take = (key: string, status: KeyNote['status'], note: string) => void

/** Collects a word on every key. */
export class Notes {
  readonly all: KeyNote[] = []

  add(key: string, status: KeyNote['status'], note: string): void {
    this.all.push({ key, status, note })
  }
}
