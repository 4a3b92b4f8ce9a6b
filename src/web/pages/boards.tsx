import { BoardsPage } from '../scuba/boards-page.tsx'
import { show } from '../shell/shell.tsx'

show(<BoardsPage />)
