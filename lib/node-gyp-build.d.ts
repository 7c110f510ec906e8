declare module 'node-gyp-build' {
  /** Loads the addon of the package in this folder: a prebuilt one, or the one that was built here. */
  export default function load(folder: string): unknown
}
