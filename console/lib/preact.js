// Preact and htm from one place, with the one hook that the standalone build lacks.
//
// A component that has state has one root element. This Preact puts siblings in a wrong place when such a component
// draws several roots and one of them, a component, no longer shows anything: it looks for the place in the new list.

import { useState } from "../vendor/preact.js";

export {
  html,
  render,
  useCallback,
  useEffect,
  useErrorBoundary,
  useLayoutEffect,
  useRef,
  useState,
} from "../vendor/preact.js";

let ids = 0;

/** An id that no other element has. */
export function useId() {
  const [id] = useState(() => `f${(ids += 1)}`);
  return id;
}
