export type { FileFormat, FormatOptions } from './reading'
export { type FileSinkOptions, type FolderSinkOptions, fileSink, folderSink } from './sinks'
export {
  type FileOptions,
  type FolderOptions,
  type FolderPosition,
  fileSource,
  folderSource,
} from './sources'
export { type TailOptions, type TailPosition, tailFile } from './tail'
export type { WriteFormat } from './writing'
