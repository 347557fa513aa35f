import { type FormEvent, type ReactNode, useEffect, useId, useRef } from "react";

interface Props {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
  readonly wide?: boolean;
}

/** A modal dialog that is open as long as it is there. The browser keeps the focus in it, and gives it back. */
export function Dialog({ title, onClose, children, wide = false }: Props) {
  const ref = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const dialog = ref.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={ref}
      aria-labelledby={titleId}
      onCancel={onClose}
      className={`panel w-[calc(100%-2rem)] p-0 shadow-2xl ${wide ? "max-w-2xl" : "max-w-md"}`}
    >
      <h2 id={titleId} className="border-b border-line px-5 py-3 text-base font-semibold">
        {title}
      </h2>
      <div className="px-5 py-4">{children}</div>
    </dialog>
  );
}

interface ConfirmProps {
  readonly title: string;
  readonly action: string;
  readonly danger?: boolean;
  readonly busy: boolean;
  readonly error: Error | null;
  readonly disabled?: boolean;
  readonly wide?: boolean;
  readonly onConfirm: () => void;
  readonly onClose: () => void;
  readonly children?: ReactNode;
}

/** Asks before something is done; what went wrong is told in it, and it stays open. */
export function ConfirmDialog(props: ConfirmProps) {
  const {
    title,
    action,
    danger = false,
    busy,
    error,
    disabled = false,
    wide = false,
    onConfirm,
    onClose,
    children,
  } = props;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onConfirm();
  };
  return (
    <Dialog title={title} onClose={onClose} wide={wide}>
      <form onSubmit={submit} className="grid gap-4">
        {children}
        {error && <ErrorText error={error} />}
        <div className="flex justify-end gap-2">
          <button type="button" className="button" onClick={onClose}>
            Keep as it is
          </button>
          <button
            type="submit"
            className={`button ${danger ? "button-bad" : "button-main"}`}
            disabled={busy || disabled}
          >
            {action}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

export function ErrorText({ error }: { readonly error: Error }) {
  return (
    <p role="alert" className="notice tone-bad break-words whitespace-pre-wrap">
      {error.message}
    </p>
  );
}
