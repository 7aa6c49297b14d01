import type { ComponentChildren } from 'preact';

export interface TableColumn {
  readonly title: string;
  readonly isNumber?: boolean;
  /** Takes the room that is left. */
  readonly share?: boolean;
}

export interface TableProps {
  readonly title: string;
  readonly note?: string;
  /** Said where there are no rows. */
  readonly empty?: string;
  readonly columns: readonly TableColumn[];
  readonly rows: readonly (readonly ComponentChildren[])[];
}

/** Under its heading; where the window is narrow it scrolls by itself. */
export function Table({ title, note, empty, columns, rows }: TableProps) {
  return (
    <div>
      <h2>
        {title} {note !== undefined && <small>{note}</small>}
      </h2>
      {rows.length === 0 ? (
        <p class="muted">{empty}</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keys.
        <section class="panel table" tabIndex={0} aria-label={`${title}, as a table`}>
          <table>
            <thead>
              <tr>
                {columns.map((column) => (
                  <th key={column.title} scope="col" data-number={column.isNumber === true}>
                    {column.title}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((cells) => (
                <tr key={String(cells[0])}>
                  {cells.map((cell, column) => (
                    <td
                      key={columns[column]?.title}
                      data-number={columns[column]?.isNumber === true}
                      data-share={columns[column]?.share === true}
                    >
                      {cell}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </div>
  );
}
